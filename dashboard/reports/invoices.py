"""The bill of each account and billing period, part by part, beside the invoice that finance typed in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db.models import Count, Sum

from .. import posted
from ..models import BillLine, Delivery, Invoice
from ..models.exact import PreciseSum
from ..models.names import name_key
from ..money import WIDE, cents, settle, to_cents, usd
from ..naming import Names
from ..scope import Scope, Span, shift_month
from . import spend

ZERO = Decimal("0.00")
PARTS = {
    "gpu": "GPU",
    "host": "Host",
    "services": "Other services",
    "support": "Support",
    "purchases": "Purchases",
    "tax": "Tax",
    "credits": "Credits",
    "entered": "Entered",
}
OF_KIND = {"host": "host", "purchase": "purchases", "tax": "tax", "credit": "credits"}
STATES = {
    "matches": "matches",
    "differs": "differs",
    "no_invoice": "no invoice",
    "no_bill": "no bill",
}
ENTERED = BillLine.Kind.ENTERED
Key = tuple[str, str, date]  # provider and account compared as names are, first day of the period
Entered = tuple[str, date, Decimal]  # provider, day and USD of a figure that no bill brought


@dataclass(frozen=True, slots=True)
class Reason:
    """What may explain a difference. exact: to the cent. usd: the amount that it speaks of, if any."""

    text: str
    usd: Decimal | None = None
    exact: bool = False


@dataclass
class Bill:
    """All that is stored for one account and billing period, at full precision, on the billed basis.

    Where only an invoice or only entered figures speak of a period, `deliveries` is empty. elsewhere: USD of
    the lines whose day lies outside the period. services: USD of lines that are no GPU by service category.
    """

    provider: str
    account: str
    period: Span
    deliveries: list[Delivery] = field(default_factory=list)
    parts: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    services: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    effective: Decimal = Decimal(0)
    lines: int = 0
    rows: int = 0
    days: set[date] = field(default_factory=set)
    elsewhere: dict[date, Decimal] = field(default_factory=dict)
    invoices: list[Invoice] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)

    @property
    def key(self) -> Key:
        return name_key(self.provider), name_key(self.account), self.period.start

    @cached_property
    def exact(self) -> Decimal:
        return plus(*self.parts.values())

    @cached_property
    def total(self) -> Decimal:
        return to_cents(self.exact)

    @cached_property
    def shown(self) -> dict[str, Decimal]:
        """Every part in cents; they add up to the total."""
        amounts = settle(cents(self.total), [self.parts.get(part, ZERO) for part in PARTS])
        return {part: usd(amount) for part, amount in zip(PARTS, amounts, strict=True)}

    @property
    def has_figures(self) -> bool:
        return bool(self.deliveries or "entered" in self.parts)

    @property
    def invoice(self) -> Invoice | None:
        """The one that was typed in first; an alias can bring others to it."""
        return self.invoices[0] if self.invoices else None

    @property
    def invoiced(self) -> Decimal | None:
        return sum((one.total_usd for one in self.invoices), ZERO) if self.invoices else None

    @property
    def difference(self) -> Decimal | None:
        """What the invoice asks for beyond the bill; None where no invoice is typed in."""
        return None if self.invoiced is None else self.invoiced - self.total

    @property
    def state(self) -> str:
        if not self.invoices:
            return "no_invoice"
        if not self.has_figures:
            return "no_bill"
        return "differs" if self.difference else "matches"

    @property
    def is_explained(self) -> bool:
        return any(reason.exact for reason in self.reasons)

    def add(self, part: str, service: str, billed: Decimal, effective: Decimal) -> None:
        self.parts[part] = WIDE.add(self.parts[part], billed)
        self.effective = WIDE.add(self.effective, effective)
        if part in ("services", "support", "host"):
            self.services[service] = WIDE.add(self.services[service], billed)

    def date(self, day: date, billed: Decimal) -> None:
        if day in self.period:
            self.days.add(day)
        else:
            self.elsewhere[day] = WIDE.add(self.elsewhere.get(day, Decimal(0)), billed)


@dataclass
class Book:
    """The bills by key: those of the scope's days, and their neighbours in time, which may explain them."""

    names: Names
    bills: dict[Key, Bill] = field(default_factory=dict)
    internal: Decimal = ZERO

    def at(self, provider: str, account: str, period: Span) -> Bill:
        """The one bill of these names, opened where there is none; the longest period known stands."""
        bill = Bill(self.names.provider(provider), account, period)
        found = self.bills.setdefault(bill.key, bill)
        if period.end > found.period.end:
            found.period = period
        return found

    def of(self, provider: str) -> list[Bill]:
        return [bill for bill in self.bills.values() if name_key(bill.provider) == name_key(provider)]

    def siblings(self, bill: Bill) -> list[Bill]:
        """Other accounts of the provider in the same period."""
        same_period = (other for other in self.of(bill.provider) if other.period.start == bill.period.start)
        return sorted((o for o in same_period if o.key != bill.key), key=lambda other: other.key)

    def neighbours(self, bill: Bill) -> list[Bill]:
        """Other periods of the account that are loaded, the earliest first."""
        same = (other for other in self.of(bill.provider) if other.key[:2] == bill.key[:2])
        return sorted((o for o in same if o.key != bill.key), key=lambda other: other.period.start)

    def enter(self, provider: str, day: date, amount: Decimal) -> None:
        """To the one bill that can hold it; a figure without an account may be any of several's."""
        shown = self.names.provider(provider)
        holding = [bill for bill in self.of(shown) if day in bill.period]
        bill = holding[0] if len(holding) == 1 else self.at(shown, "", month_of(day))
        bill.add("entered", "", amount, amount)
        bill.days.add(day)


@dataclass(frozen=True)
class TieOut:
    """internal: USD of the scope's days that own rates post and nobody bills."""

    bills: list[Bill]
    internal: Decimal = ZERO

    def in_state(self, *states: str) -> list[Bill]:
        return [bill for bill in self.bills if bill.state in states]

    @property
    def with_invoice(self) -> list[Bill]:
        return [bill for bill in self.bills if bill.invoices]

    @property
    def billed(self) -> Decimal:
        return sum((bill.total for bill in self.bills), ZERO)

    @property
    def billed_with_invoice(self) -> Decimal:
        return sum((bill.total for bill in self.with_invoice), ZERO)

    @property
    def invoiced(self) -> Decimal:
        return sum((bill.invoiced or ZERO for bill in self.bills), ZERO)

    @property
    def difference(self) -> Decimal:
        return self.invoiced - self.billed_with_invoice

    @property
    def apart(self) -> Decimal:
        """By how much bills and invoices differ, whichever is higher."""
        return sum((abs(bill.difference or ZERO) for bill in self.bills), ZERO)

    @property
    def unexplained(self) -> Decimal:
        return sum((abs(bill.difference or ZERO) for bill in self.bills if not bill.is_explained), ZERO)

    def part(self, name: str) -> Decimal:
        return sum((bill.shown[name] for bill in self.bills), ZERO)


def tie_out(
    scope: Scope, names: Names, explain: Callable[[Bill, Book], list[Reason]] = lambda bill, book: []
) -> TieOut:
    """Every bill, invoice and entered figure whose period shares a day with the scope, the newest first."""
    book = Book(names)
    around = scope.span and Span(months_on(scope.span.start, -1), months_on(scope.span.end, 2))
    wanted = {name_key(names.provider(name)) for name in scope.providers}
    added = read_deliveries(book, around)
    for invoice in invoices_of(around):
        bill = book.at(invoice.provider, invoice.account, month_from(invoice.period_start))
        bill.invoices.append(invoice)
    for provider, day, amount in [*added, *entered(book, scope, around)]:
        book.enter(provider, day, amount)
    shown = [bill for bill in book.bills.values() if meets(bill, scope.span)]
    shown = [bill for bill in shown if not wanted or bill.key[0] in wanted]
    for bill in shown:
        bill.reasons = explain(bill, book)
    shown.sort(key=lambda bill: (bill.provider.casefold(), bill.account.casefold()))
    shown.sort(key=lambda bill: bill.period.start, reverse=True)
    return TieOut(shown, book.internal)


def meets(bill: Bill, span: Span | None) -> bool:
    return span is None or (bill.period.start < span.end and span.start < bill.period.end)


def invoices_of(around: Span | None) -> Iterable[Invoice]:
    rows = Invoice.objects.order_by("created_at")
    return rows.filter(period_start__gte=around.start, period_start__lt=around.end) if around else rows


# Bill lines


def read_deliveries(book: Book, around: Span | None) -> list[Entered]:
    """Fills the book from current bill lines; gives back what was entered by hand and added to a bill."""
    deliveries = {one.pk: one for one in during(Delivery.objects.filter(current=True), around)}
    lines = during(BillLine.objects.current(), around, "delivery__").order_by()
    billed, added = sums_of_lines(lines.exclude(kind=ENTERED)), added_lines(lines)
    # What was added hangs on a delivery of its own, which is nobody's bill.
    for pk in deliveries.keys() - ({pk for pk, *_ in added} - {pk for pk, *_ in billed}):
        one = deliveries[pk]
        book.at(one.provider, one.account, Span(one.period_start, one.period_end)).deliveries.append(one)
    of = {one.pk: bill for bill in book.bills.values() for one in bill.deliveries}
    for pk, kind, service, gpu_type, usd_billed, effective, count, rows in billed:
        of[pk].add(part_of(kind, service, gpu_type), service, usd_billed, effective)
        of[pk].lines, of[pk].rows = of[pk].lines + count, of[pk].rows + rows
    for pk, day, usd_billed in days_of_lines(lines.exclude(kind=ENTERED)):
        of[pk].date(day, usd_billed)
    return [(provider, day, amount) for _, provider, day, amount in added if amount]


def during(rows: Any, around: Span | None, of: str = "") -> Any:
    if around is None:
        return rows
    return rows.filter(**{f"{of}period_end__gt": around.start, f"{of}period_start__lt": around.end})


def sums_of_lines(lines: Any) -> list[tuple[Any, ...]]:
    keys = ("delivery_id", "kind", "service_category", "gpu_type")
    sums = PreciseSum("billed"), PreciseSum("effective"), Count("pk"), Sum("rows")
    return list(lines.values_list(*keys).annotate(*sums))


def days_of_lines(lines: Any) -> Iterable[tuple[int, date, Decimal]]:
    return lines.values_list("delivery_id", "day").annotate(PreciseSum("billed"))


def added_lines(lines: Any) -> list[tuple[int, str, date, Decimal]]:
    added = lines.filter(kind=ENTERED)
    return list(added.values_list("delivery_id", "provider", "day").annotate(PreciseSum("billed")))


def part_of(kind: str, service: str, gpu_type: str) -> str:
    """FOCUS has no kind for support: some providers give it a service category."""
    if gpu_type:
        return "gpu"
    return OF_KIND.get(kind) or ("support" if "support" in service.casefold().split() else "services")


# Figures that no line brought


def entered(book: Book, scope: Scope, around: Span | None) -> Iterator[Entered]:
    """Entered figures are the same on either basis; those of own rates are nobody's bill."""
    wide = scope.but(basis=settings.HELIOX_COST_BASIS, gpu_types=(), span=around)
    rows = spend.rows(wide, book.names)
    found = [row for row in rows if row.source != "lines"]
    beside = {spend.cell_of(row, book.names) for row in rows if row.source == "lines"}
    instead = cells_with_lines(wide, book.names) - beside if found else set()
    for row in found:
        if row.source == "rate":
            book.internal += row.usd if scope.span is None or row.day in scope.span else ZERO
        elif row.source == "period" or spend.cell_of(row, book.names) not in instead:
            yield row.provider, row.day, row.usd


def cells_with_lines(scope: Scope, names: Names) -> set[posted.Cell]:
    lines = spend.narrowed(BillLine.objects.current().gpu(), scope, names)
    if scope.span:
        lines = lines.filter(day__gte=scope.span.start, day__lt=scope.span.end)
    rows = lines.order_by().values_list("day", "provider", "gpu_type").distinct()
    return {(day, *names.hardware((provider, gpu_type))) for day, provider, gpu_type in rows}


# Shared


def plus(*amounts: Decimal) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = WIDE.add(total, amount)
    return total


def months_on(day: date, months: int) -> date:
    return shift_month(day.replace(day=1), months)


def month_of(day: date) -> Span:
    return month_from(day.replace(day=1))


def month_from(day: date) -> Span:
    """From that day to the end of its month."""
    return Span(day, months_on(day, 1))


def spans_of(days: Iterable[date]) -> Iterator[Span]:
    """Days, in order, as stretches without a gap."""
    start = last = None
    for day in sorted(days):
        if start is None or last is None or (day - last).days > 1:
            if start is not None and last is not None:
                yield Span.inclusive(start, last)
            start = day
        last = day
    if start is not None and last is not None:
        yield Span.inclusive(start, last)
