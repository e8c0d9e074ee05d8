"""The tables of what was paid for without a result."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from html import escape
from typing import Any

import django_tables2 as tables
from django.utils.safestring import mark_safe

from ..exports import plain_number
from ..templatetags import ui
from . import NUMBER, moment
from .rates import WHOLE, amount, rate
from .rows import FigureTable

ON_NO_BILL = "on no bill"
WORDS = {"td": {"class": "wrap why"}}


class WasteTable(FigureTable):
    """link: the address of the rows behind a row. The first column leads there."""

    class Meta:
        template_name = "dashboard/_table.html"
        order_by_field = "sort"

    def __init__(self, data: Any, *, link: Callable[[Any], str], **kwargs: Any) -> None:
        self.link = link
        super().__init__(data, **kwargs)

    def linked(self, record: Any, value: str) -> str:
        return mark_safe(f'<a href="{escape(self.link(record))}">{ui.name(value or "unspecified")}</a>')

    def render_count(self, value: int) -> str:
        return ui.count(value)

    render_failed = render_cancelled = render_completed = render_days = render_count

    def render_hours(self, value: Decimal | None) -> str:
        return ui.hours(value)

    render_gpu_hours = render_metered_hours = render_used_hours = render_idle_hours = render_hours

    def render_usd(self, value: Decimal | None) -> str:
        return ON_NO_BILL if value is None else ui.usd(value)

    render_failed_usd = render_cancelled_usd = render_completed_usd = render_usd
    render_releasable_usd = render_either_way_usd = render_unknown_usd = render_unused_usd = render_usd

    def render_usd_per_hour(self, value: Decimal | None) -> str:
        return ui.rate(value)


class LostTable(WasteTable):
    team = tables.Column(verbose_name="Team")
    model = tables.Column(verbose_name="Model")
    provider = tables.Column(verbose_name="Provider")
    gpu_type = tables.Column(verbose_name="GPU type", attrs=WHOLE)
    failed = amount("Failed jobs")
    cancelled = amount("Cancelled jobs")
    days = amount("on days")
    gpu_hours = amount("Job GPU-hours")
    usd_per_hour = rate("Price")
    failed_usd = rate("Failed")
    cancelled_usd = rate("Cancelled")
    usd = rate("Together")

    render_team = WasteTable.linked


class RunsTable(WasteTable):
    team = tables.Column(verbose_name="Team")
    model = tables.Column(verbose_name="Model")
    completed = amount("Completed runs")
    failed = amount("Failed")
    cancelled = amount("Cancelled")
    gpu_hours = amount("Job GPU-hours")
    usd = rate("Cost of all")
    usd_per_success = rate("Cost per successful run")
    completed_usd = rate("Cost of completed")
    usd_per_completed = rate("per completed run")

    render_team = WasteTable.linked

    def render_usd_per_success(self, record: dict[str, Any], value: Decimal | None) -> str:
        return self.render_usd(value) if record["completed"] else "none completed"

    render_usd_per_completed = render_usd_per_success


class IdleTable(WasteTable):
    provider = tables.Column(verbose_name="Provider")
    gpu_type = tables.Column(verbose_name="GPU type", attrs=WHOLE)
    days = amount("on days")
    metered_hours = amount("Metered")
    used_hours = amount("Held by jobs")
    idle_hours = amount("Idle")
    utilisation = rate("Utilisation")
    usd_per_hour = rate("Price")
    usd = amount("Idle cost")
    releasable_usd = amount("On demand, spot")
    either_way_usd = amount("Paid either way")
    unknown_usd = amount("Unknown")
    unused_usd = amount("Unused commitment")

    render_provider = WasteTable.linked

    def render_utilisation(self, value: Decimal | None) -> str:
        return ui.percent(value)


class StuckTable(WasteTable):
    model = tables.Column(verbose_name="Job")
    why = tables.Column(verbose_name="Why", attrs=WORDS)
    team = tables.Column(verbose_name="Team")
    provider = tables.Column(verbose_name="Provider")
    gpu_type = tables.Column(verbose_name="GPU type", attrs=WHOLE)
    gpus = tables.Column(verbose_name="GPUs", attrs=NUMBER)
    since = tables.Column(verbose_name="Start")
    usd_per_hour = rate("$ per hour")
    usd = rate("Cost so far")

    class Meta(WasteTable.Meta):
        empty_text = "No job looks stuck with these filters."

    render_model = WasteTable.linked

    def render_usd(self, value: Decimal | None) -> str:
        return ui.usd(value)

    def render_gpus(self, value: Decimal) -> str:
        return format(plain_number(value), "f")

    def render_since(self, value: datetime) -> str:
        return moment(value)
