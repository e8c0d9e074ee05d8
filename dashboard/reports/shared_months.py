"""The shares of months, remembered: by what a month's bill, hours and jobs are known to be unchanged.

Rows, hours and covered days are compared as they were read; GPU time and bill lines, of which there are
more, by what these are known by.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings

from .. import remembered, rollups
from ..models import Delivery, SpendMapping
from ..naming import Names
from ..remembered import digest, part_of
from ..scope import Scope, Span
from .billed import Billed
from .job_time import picked

Sums = dict[str, dict[UUID | None, int]]  # cents by line and team
Month = TypeVar("Month")  # what a month comes to


def sizes(month: Any) -> int:
    return sum(map(len, month.values()))


def by_month(
    question: Hashable,
    scope: Scope,
    names: Names,
    share: Callable[[Scope, Billed], dict[date, Month]],
    rows_of: Callable[[Month], int] = sizes,
) -> list[Month]:
    """What each month comes to by its days within the scope.

    question: tells what is remembered from the answers to others. share: what each month within a scope
    comes to; asked only for days of which nothing is remembered. Teams, statuses, models and the search
    of the scope are left out of it: whatever narrows the answer is of the question.
    """
    billed = Billed.read(scope, names)
    if scope.span is None or not remembered.is_worth_it(scope.span):
        return list(share(scope, billed).values())
    known = Known.once(scope, names)
    return remembered.by_month(
        scope.span,
        known.keys(question, scope, names, billed),
        lambda span: share(scope.over(span), billed.within(span)),
        lambda: known.unchanged(scope, names),
        rows_of,
    )


def days_of(scope: Scope) -> Span:
    """That count: spread idle cost goes to who used the same GPUs in that month, on whatever day of it."""
    assert scope.span
    return scope.span if scope.idle == "apart" else scope.span.in_months


@dataclass(frozen=True)
class Known:
    """What is not read again to tell whether it changed.

    jobs: by month, what its GPU time is known by. lines: the bills that are current, and who pays directly.
    """

    jobs: dict[date, Hashable]
    lines: tuple[Any, ...]

    @classmethod
    def once(cls, scope: Scope, names: Names) -> Known:
        """What was known when a page first asked."""
        asked = Known, scope.span, scope.providers, scope.gpu_types, scope.idle == "apart"
        return names.once(asked, lambda: cls.read(scope, names))

    @classmethod
    def read(cls, scope: Scope, names: Names) -> Known:
        assert scope.span
        everybody = scope.but(teams=(), statuses=(), models=(), q="")
        return cls(rollups.known_by(picked(everybody, names), names, days_of(scope)), lines_known_by())

    def keys(self, question: Hashable, scope: Scope, names: Names, billed: Billed) -> dict[date, bytes]:
        """Of each month that can be told to be unchanged."""
        assert scope.span
        asked = question, scope.providers, scope.gpu_types, scope.basis, scope.idle
        set_up = settings.HELIOX_COST_BASIS, settings.HELIOX_SPREAD_CREDITS
        shown = sorted(names.providers.items()), sorted(names.gpu_types.items())
        common, of_months = digest(asked, set_up, shown, self.lines), billed.of_months(self.jobs)
        return {
            month: digest(part_of(month, scope.span), common, known, of_months[month])
            for month, known in self.jobs.items()
        }

    def unchanged(self, scope: Scope, names: Names) -> set[date]:
        """The months that are still known by the same."""
        now = Known.read(scope, names)
        if now.lines != self.lines:
            return set()
        return {month for month, known in self.jobs.items() if now.jobs.get(month) == known}


def lines_known_by() -> tuple[Any, ...]:
    """Lines never change within a delivery."""
    mapped = ("provider", "sub_account", "tag", "team_id", "valid_from", "valid_to")
    bills = Delivery.objects.filter(current=True).order_by("pk").values_list("pk", "digest")
    return tuple(bills), tuple(SpendMapping.objects.order_by("pk").values_list(*mapped))
