"""Django's own admin for those who keep the data, one module for each subject."""

from . import (
    audit,
    budgets,
    closing,
    contracts,
    imports,
    invoices,
    jobs,
    limits,
    mappings,
    people,
    snapshots,
    teams,
)

__all__ = [
    "audit",
    "budgets",
    "closing",
    "contracts",
    "imports",
    "invoices",
    "jobs",
    "limits",
    "mappings",
    "people",
    "snapshots",
    "teams",
]
