"""How the tests of imports put rows in: a small cast of records, loaded as if a file had said them."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from dashboard.ingest.formats import recognise
from dashboard.ingest.load import Reading, load_readings
from dashboard.ingest.records import (
    BillRow,
    CostRow,
    JobRow,
    Options,
    PeriodRow,
    Record,
    TeamRow,
    UsageRow,
)
from dashboard.ingest.source import open_table
from dashboard.ingest.summary import Summary

from .conftest import at

A_DAY = date(2025, 3, 1)


def records_of(content: str | bytes | Path, form: Any = None, options: Options | None = None) -> Any:
    """What is read of a file, and the notes. form: the format that has to be recognised."""
    content = content.encode() if isinstance(content, str) else content
    file = io.BytesIO(content) if isinstance(content, bytes) else content
    notes: list[str] = []
    with open_table(file, "file") as table:
        known = recognise(table.header)
        assert form is None or known is form
        return list(known.read(table, options or Options(), notes)), notes


def job(external_id: str | None = "7", **facts: Any) -> JobRow:
    """One GPU for one hour on the cluster fox, but for what is named."""
    facts = {
        "line": 2,
        "team": "vision",
        "model_name": "resnet",
        "status": "completed",
        "gpu_count": Decimal(1),
        "start_time": at("2025-03-01 00:00"),
        "end_time": at("2025-03-01 01:00"),
        "cluster": "fox",
        "account": facts.get("team", "vision"),
        "partition": "accel",
        "raw_gpu_type": "a100",
    } | facts
    return JobRow(external_id=external_id, **facts)


def csv_job(external_id: str | None = None, **facts: Any) -> JobRow:
    """As a jobs CSV says it: the hardware is named, the scheduler is not."""
    named = {"provider": "AWS", "gpu_type": "A100-80GB", "account": None, "partition": None}
    facts = named | {"raw_gpu_type": None, "cluster": facts.get("provider", "AWS")} | facts
    return job(external_id, **facts)


def bill(day: int = 1, billed: str = "10", hours: str | None = "2", **facts: Any) -> BillRow:
    """An on-demand AWS A100-80GB row of March 2025; effective equals billed but where it is named."""
    facts = {
        "line": 2,
        "provider": "AWS",
        "account": "main",
        "period": (date(2025, 3, 1), date(2025, 4, 1)),
        "sub_account": "",
        "tag": "",
        "kind": "on_demand",
        "service_category": "Compute",
        "gpu_type": "A100-80GB",
        "effective": billed,
    } | facts
    facts["effective"] = Decimal(facts["effective"])
    return BillRow(
        day=facts.pop("day_date", date(2025, 3, day)),
        billed=Decimal(billed),
        gpu_hours=None if hours is None else Decimal(hours),
        **facts,
    )


def cost(usd: str, day: date = A_DAY, provider: str = "AWS", gpu_type: str = "A100-80GB") -> CostRow:
    return CostRow(2, day, provider, gpu_type, Decimal(usd))


def usage(hours: str, day: date = A_DAY, provider: str = "AWS", gpu_type: str = "A100-80GB") -> UsageRow:
    return UsageRow(2, day, provider, gpu_type, Decimal(hours))


def team(name: str, pk: Any = None, line: int = 2) -> TeamRow:
    return TeamRow(line, name, pk)


def load_rows(*records: Record, digest: str = "", **how: Any) -> Summary:
    options = how.pop("options", Options())
    unsaid = how.pop("unsaid", frozenset())
    return load_readings([Reading("rows", records, digest=digest, unsaid=unsaid)], options, **how)


def load_files(*files: list[Record], **how: Any) -> Summary:
    """Each list is a file of its own, given in one call."""
    return load_readings([Reading(f"file {n}", rows) for n, rows in enumerate(files, 1)], **how)


def period(usd: str, first: str = "2025-03-01", last: str = "2025-03-31", **facts: Any) -> PeriodRow:
    """A total for the AWS A100-80GB of these days, but for what is named."""
    facts = {"line": 2, "provider": "AWS", "gpu_type": "A100-80GB"} | facts
    days = date.fromisoformat(first), date.fromisoformat(last)
    return PeriodRow(first_day=days[0], last_day=days[1], cost_usd=Decimal(usd), **facts)
