"""The four entities, and around them the ledger, the names and the imports that the domain asks for."""

from .audit import AuditEvent
from .budgets import Budget
from .calendar import BillDay
from .closing import Accrual, ClosedLine, CostCentre, MonthClose, Restatement
from .contracts import Commitment, Invoice, PeriodEntry, Rate
from .digests import SentDigest
from .entities import CostSnapshot, Job, Team, UsageSnapshot
from .imports import ImportChange, ImportRun, LogSpan, Upload, UploadPart
from .ledger import BillLine, Delivery
from .limits import TeamLimit
from .mappings import AccountMapping, ClusterMapping, SpendMapping
from .names import NameAlias, Provider
from .people import SignInTry
from .remarks import DayNote, DismissedAnomaly
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
from .writes import DataWrite

__all__ = [
    "AccountMapping",
    "Accrual",
    "AuditEvent",
    "BillDay",
    "BillLine",
    "Budget",
    "ClosedLine",
    "ClusterMapping",
    "Commitment",
    "CostCentre",
    "CostSnapshot",
    "DataWrite",
    "DayNote",
    "Delivery",
    "DismissedAnomaly",
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
    "MonthClose",
    "NameAlias",
    "PeriodEntry",
    "Provider",
    "ProviderClock",
    "Rate",
    "Restatement",
    "SentDigest",
    "SettledMonth",
    "SignInTry",
    "SpendMapping",
    "Team",
    "TeamLimit",
    "Upload",
    "UploadPart",
    "UsageSnapshot",
]
