"""The table of what internal prices recovered."""

from __future__ import annotations

from decimal import Decimal

import django_tables2 as tables
from django.utils.html import format_html

from ..templatetags import ui
from . import NUMBER, CellTable, two_places


class RecoveryTable(CellTable):
    job_hours = tables.Column(verbose_name="Job GPU-hours", attrs=NUMBER)
    charged = tables.Column(verbose_name="Charged at the rate", attrs=NUMBER)
    compared = tables.Column(verbose_name="of it, where the cost is known", attrs=NUMBER)
    actual = tables.Column(verbose_name="Actual cost", attrs=NUMBER, empty_values=())
    over = tables.Column(verbose_name="Over- or under-recovered", attrs=NUMBER, empty_values=())

    def render_job_hours(self, value: Decimal) -> str:
        return two_places(value)

    def render_charged(self, value: Decimal | None) -> str:
        return ui.usd(value)

    render_compared = render_actual = render_charged

    def render_over(self, value: Decimal | None) -> str:
        if not value:
            return ui.usd(value)
        return format_html(
            '<small class="soft">{}</small> {}', "over" if value > 0 else "under", ui.usd(value)
        )
