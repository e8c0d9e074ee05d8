"""How tests type in what no bill tells."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from dashboard.models import Commitment, PeriodEntry, Rate

FOX = {"provider": "fox", "gpu_type": "A100-80GB"}


def make_entry(first: str, last: str, usd: str, hours: str | None = None, **facts: Any) -> PeriodEntry:
    """A total for the AWS A100-80GB of these days, but for what is named."""
    facts = {"provider": "AWS", "gpu_type": "A100-80GB"} | facts
    return PeriodEntry.objects.create(
        first_day=date.fromisoformat(first),
        last_day=date.fromisoformat(last),
        cost_usd=Decimal(usd),
        gpu_hours=None if hours is None else Decimal(hours),
        **facts,
    )


def per_month(usd: str, gpus: str, first: str, last: str | None = None, **facts: Any) -> Rate:
    return make_rate(Rate.Per.GPU_MONTH, usd, first, last, gpus=Decimal(gpus), **facts)


def per_hour(usd: str, first: str, last: str | None = None, **facts: Any) -> Rate:
    return make_rate(Rate.Per.GPU_HOUR, usd, first, last, **facts)


def make_rate(per: str, usd: str, first: str, last: str | None, **facts: Any) -> Rate:
    """A price of the own cluster fox, but for what is named."""
    return Rate.objects.create(
        per=per,
        usd=Decimal(usd),
        first_day=date.fromisoformat(first),
        last_day=date.fromisoformat(last) if last else None,
        **(FOX | facts),
    )


def make_commitment(gpus: str, first: str, last: str, **facts: Any) -> Commitment:
    facts = {"provider": "AWS", "gpu_type": "A100-80GB"} | facts
    return Commitment.objects.create(
        gpus=Decimal(gpus), first_day=date.fromisoformat(first), last_day=date.fromisoformat(last), **facts
    )
