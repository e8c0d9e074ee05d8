"""Tables of rates and of what moved the spend from one period to another."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import django_tables2 as tables
from django.utils.html import format_html

from ..templatetags import ui
from . import NUMBER, CellTable
from .rows import FigureTable

WHOLE = {"td": {"class": "nowrap"}}


class RateColumns(CellTable):
    def render_gpu_hours(self, value: Decimal) -> str:
        return ui.hours(value)

    def render_usd(self, value: Decimal) -> str:
        return ui.usd(value)

    render_billed = render_effective = render_gap = render_usd

    def render_rate(self, value: Decimal | None) -> str:
        return ui.rate(value)

    render_billed_rate = render_effective_rate = render_gap_rate = render_rate

    def render_share(self, value: Decimal | None) -> str:
        return ui.percent(value)

    render_hours_share = render_cost_share = render_share


def amount(label: str) -> tables.Column:
    return tables.Column(verbose_name=label, attrs=NUMBER)


def rate(label: str) -> tables.Column:
    """Says n/a where there is none."""
    return tables.Column(verbose_name=label, attrs=NUMBER, empty_values=())


class PriceTable(RateColumns):
    """One row per bucket, provider and GPU type, kinds of purchase blended."""

    gpu_hours = amount("Metered GPU-hours")
    billed = amount("Billed")
    effective = amount("Effective")
    gap = amount("Gap")
    billed_rate = rate("Billed rate")
    effective_rate = rate("Effective rate")
    gap_rate = rate("Gap per hour")


class KindTable(RateColumns):
    """One row per bucket, provider, GPU type and kind: what the file of the page holds."""

    kind = tables.Column(accessor="kind_label", verbose_name="Kind")
    gpu_hours = amount("Metered GPU-hours")
    hours_share = amount("of hours")
    billed = amount("Billed")
    effective = amount("Effective")
    cost_share = amount("of cost")
    billed_rate = rate("Billed rate")
    effective_rate = rate("Effective rate")


class BridgeTable(FigureTable):
    """One row per provider, GPU type and kind, as in the file of the page; the largest change first.

    Where rates cannot be compared, all of the change is new, gone or without a rate.
    """

    provider = tables.Column(verbose_name="Provider", attrs=WHOLE)
    gpu_type = tables.Column(verbose_name="GPU type", attrs=WHOLE)
    kind = tables.Column(accessor="kind_label", verbose_name="Kind", attrs=WHOLE)
    hours_before = amount("Hours before")
    hours_now = amount("Hours now")
    rate_before = amount("Rate before")
    rate_now = amount("Rate now")
    before = amount("Cost before")
    now = amount("Cost now")
    change = amount("Change")
    volume = amount("Volume")
    mix = amount("Mix")
    rate = amount("Rate")
    otherwise = tables.Column(verbose_name="All of it", attrs=WHOLE, default="")

    class Meta:
        template_name = "dashboard/_table.html"
        order_by_field = "sort"

    def render_hours_before(self, value: Decimal) -> str:
        return ui.hours(value)

    render_hours_now = render_hours_before

    def render_rate_before(self, value: Decimal) -> str:
        return ui.rate(value)

    render_rate_now = render_rate_before

    def render_before(self, record: Any, value: Decimal) -> str:
        return format_html('<a href="{}">{}</a>', record["before_url"], ui.usd(value))

    def render_now(self, record: Any, value: Decimal) -> str:
        return format_html('<a href="{}">{}</a>', record["now_url"], ui.usd(value))

    def render_change(self, value: Decimal) -> str:
        return signed(value)

    render_volume = render_mix = render_rate = render_change


def signed(value: Decimal, none: str = "–") -> str:
    """With a plus or a minus. A part that is nought is not there: most cells have three of six."""
    return f"{'+' if value > 0 else ''}{ui.usd(value)}" if value else none
