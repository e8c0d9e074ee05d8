"""Which planted events of the demo data stand out, and how many other anomalies there are a month."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.core.management import BaseCommand, CommandError

from dashboard import clock
from dashboard.demo_data.plan import Plan, Planted
from dashboard.money import usd
from dashboard.naming import Names
from dashboard.reports.anomalies import Anomaly, anomalies
from dashboard.reports.freshness import Freshness
from dashboard.scope import Scope, Span
from dashboard.templatetags import ui

NEAR = timedelta(days=2)


class Command(BaseCommand):
    help = "Prints as Markdown which planted events of the stored demo data stand out. Writes nothing."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--seed", type=int, default=1, help="the seed of the demo data (default 1)")

    def handle(self, *args: Any, seed: int, **options: Any) -> None:
        names = Names.load()
        freshness = Freshness.load(names)
        span = freshness.span()
        if span is None:
            raise CommandError("Nothing is stored. Run `manage.py seed_demo` first.")
        plan = Plan(clock.today(), (clock.today() - span.start).days, seed=seed)
        found = anomalies(Scope(span=span), names, freshness)
        self.stdout.write("\n".join(report(list(plan.planted()), found, span)))


def report(planted: list[Planted], found: list[Anomaly], span: Span) -> Iterator[str]:
    false = [one for one in found if not any(is_of(one, event) for event in planted)]
    months = span.length / 30.44
    hits = sum(any(is_of(one, event) for one in found) for event in planted)
    yield f"{span.start} to {span.last}, {months:.1f} months. Found: {hits} of {len(planted)} planted events."
    yield f"Others: {len(false)}, {len(false) / months:.2f} a month."
    yield from ["", "| planted | provider | GPU type | day | found as |", "|---|---|---|---|---|"]
    for event in planted:
        told = "; ".join(in_words(one) for one in found if is_of(one, event)) or "**not found**"
        yield f"| {event.event} | {event.provider} | {event.gpu_type} | {event.day} | {told} |"
    yield from ["", "| other | provider | GPU type | first day |", "|---|---|---|---|"]
    for one in false:
        yield f"| {in_words(one)} | {one.provider} | {one.gpu_type} | {one.found.first} |"


def is_of(one: Anomaly, event: Planted) -> bool:
    same = (one.provider, one.gpu_type) == (event.provider, event.gpu_type)
    return same and abs(one.found.first - event.day) <= NEAR


def in_words(one: Anomaly) -> str:
    found = one.found
    if found.difference is None:
        return f"missing, {len(found.days)} days, {ui.usd(usd(found.expected))} expected"
    moved = f", {found.moved}" if found.moved else ""
    return f"{found.kind}, {len(found.days)} of them, {ui.usd(usd(found.difference))}{moved}"
