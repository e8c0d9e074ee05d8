"""The four entities, and around them the ledger, the names and the imports that the domain asks for."""

from .audit import AuditEvent
from .calendar import BillDay
from .contracts import Commitment, Invoice, PeriodEntry, Rate
from .entities import CostSnapshot, Job, Team, UsageSnapshot
from .imports import ImportChange, ImportRun, LogSpan, Upload, UploadPart
from .ledger import BillLine, Delivery
from .limits import TeamLimit
from .mappings import AccountMapping, ClusterMapping, SpendMapping
from .names import NameAlias, Provider
from .people import SignInTry
from .rollups import (
    GpuDay,
    GpuDayOfModel,
    GpuMonth,
    GpuTimeChange,
    LoggedGpuTime,
    ModelName,
    ProviderClock,
    SettledMonth,
)

__all__ = [
    "AccountMapping",
    "AuditEvent",
    "BillDay",
    "BillLine",
    "ClusterMapping",
    "Commitment",
    "CostSnapshot",
    "Delivery",
    "GpuDay",
    "GpuDayOfModel",
    "GpuMonth",
    "GpuTimeChange",
    "ImportChange",
    "ImportRun",
    "Invoice",
    "Job",
    "LogSpan",
    "LoggedGpuTime",
    "ModelName",
    "NameAlias",
    "PeriodEntry",
    "Provider",
    "ProviderClock",
    "Rate",
    "SettledMonth",
    "SignInTry",
    "SpendMapping",
    "Team",
    "TeamLimit",
    "Upload",
    "UploadPart",
    "UsageSnapshot",
]
