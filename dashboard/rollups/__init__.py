"""GPU time and jobs per day, summed ahead: kept exact by triggers, settled in batches, read by every page."""

from .asking import by, count, count_by, models_by_team, spent_by
from .clocks import expect
from .reading import (
    Picked,
    added,
    by_log,
    in_several_logs,
    pieces,
)
from .settling import rebuild, settle, settle_if_worth_it, verify
from .stamps import known_by

__all__ = [
    "Picked",
    "added",
    "by",
    "by_log",
    "count",
    "count_by",
    "expect",
    "in_several_logs",
    "known_by",
    "models_by_team",
    "pieces",
    "rebuild",
    "settle",
    "settle_if_worth_it",
    "spent_by",
    "verify",
]
