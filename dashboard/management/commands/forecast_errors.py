"""Prints how forecasts of past months would have done, beside the two simplest guesses."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.core.management import BaseCommand

from dashboard.clock import today
from dashboard.naming import Names
from dashboard.reports.forecast import ASKED_ON, HISTORY, Record, record, series_of
from dashboard.reports.freshness import Freshness
from dashboard.scope import Scope
from dashboard.templatetags.ui import percent

WAYS = ("said", "last_month", "run_rate")


class Command(BaseCommand):
    help = "Print, as Markdown, how forecasts of past months would have done on what is stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--months", type=int, default=24, help="wholly closed months back (default 24)")

    def handle(self, *args: Any, months: int, **options: Any) -> None:
        names = Names.load()
        first = today() - HISTORY - timedelta(days=31 * months)
        series = series_of(Scope(), names, Freshness.load(names), first)
        told = record(series, months)
        if not told.pasts:
            self.stdout.write("No month is wholly closed yet, or too little is stored before it.")
            return
        self.stdout.write("\n".join(lines(told)))


def lines(told: Record) -> Iterator[str]:
    months = sorted({past.month for past in told.pasts})
    yield f"{len(told.pasts)} forecasts of {len(months)} months, {months[0]:%B %Y} to {months[-1]:%B %Y}."
    yield ""
    yield "| asked on day | mean error | last month again | run rate | band held |"
    yield "| ---: | ---: | ---: | ---: | ---: |"
    for day in ASKED_ON:
        yield row(str(day), Record(tuple(past for past in told.pasts if past.asked_on.day == day)))
    yield row("all", told)


def row(called: str, told: Record) -> str:
    errors = (error_of(told.error(way)) for way in WAYS)
    return f"| {called} | {' | '.join(errors)} | {told.held} of {told.with_band} |"


def error_of(error: Decimal | None) -> str:
    return "–" if error is None else percent(error)
