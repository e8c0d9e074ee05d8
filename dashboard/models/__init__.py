"""The four entities, and around them the ledger, the names and the imports that the domain asks for."""

from .calendar import BillDay
from .contracts import Commitment, Invoice, PeriodEntry, Rate
from .entities import CostSnapshot, Job, Team, UsageSnapshot
from .imports import ImportChange, ImportRun, LogSpan, Upload, UploadPart
from .ledger import BillLine, Delivery
from .mappings import AccountMapping, ClusterMapping, SpendMapping
from .names import NameAlias, Provider

__all__ = [
    "AccountMapping",
    "BillDay",
    "BillLine",
    "ClusterMapping",
    "Commitment",
    "CostSnapshot",
    "Delivery",
    "ImportChange",
    "ImportRun",
    "Invoice",
    "Job",
    "LogSpan",
    "NameAlias",
    "PeriodEntry",
    "Provider",
    "Rate",
    "SpendMapping",
    "Team",
    "Upload",
    "UploadPart",
    "UsageSnapshot",
]
