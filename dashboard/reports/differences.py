"""Why a bill and its invoice differ: each idea is held against the figures and kept only where it fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from decimal import Decimal
from itertools import combinations

from ..clock import today
from ..money import cents, to_cents
from ..periods import day_in_words, in_words
from ..scope import ONE_DAY, Span
from .invoices import PARTS, Bill, Book, Reason, plus, spans_of

CALLED = {
    "gpu": "the GPUs",
    "host": "the host",
    "services": "other services",
    "support": "support",
    "purchases": "purchases",
    "tax": "tax",
    "credits": "credits",
    "entered": "what was entered by hand",
}
MOST_SPANS = 3
MOST_TOGETHER = 6


def reasons(bill: Bill, book: Book) -> list[Reason]:
    """Those that fit to the cent first; without any, what else may matter, and that nothing fits."""
    if bill.state == "matches":
        return []
    if bill.invoiced is None:
        return [*missing_days(bill, book), *spelled_twice(bill, book)]
    found: list[Reason] = []
    for idea in IDEAS:
        # An amount that is explained in one way needs no second.
        known = {reason.usd for reason in found if reason.exact}
        found += [reason for reason in idea(bill, book) if not (reason.exact and reason.usd in known)]
    if not any(reason.exact for reason in found) and bill.has_figures:
        found.append(Reason("Nothing that is stored comes to exactly this difference"))
    return sorted(found, key=lambda reason: not reason.exact)


def fits(bill: Bill, amount: Decimal) -> bool:
    """The invoice would match if the bill were this, at full precision."""
    return to_cents(amount) == bill.invoiced


def no_bill(bill: Bill, book: Book) -> Iterator[Reason]:
    if bill.deliveries:
        return
    if bill.has_figures:
        yield Reason("No bill is imported: the figures are those entered by hand")
        return
    yield Reason(
        f"No bill of {bill.provider}, {account(bill)}, is imported for the period from "
        f"{day_in_words(bill.period.start)}"
    )
    for other in book.neighbours(bill):
        if bill.period.start in other.period and other.deliveries:
            yield Reason(f"The bill of this account begins on {day_in_words(other.period.start)}")


def other_accounts(bill: Bill, book: Book) -> Iterator[Reason]:
    """The invoice may mean another account, or several."""
    others = [other for other in book.siblings(bill) if other.has_figures][:MOST_TOGETHER]
    candidates = ([bill] if bill.has_figures else []) + others
    for size in range(1, len(candidates) + 1):
        for together in combinations(candidates, size):
            if together != (bill,) and fits(bill, plus(*(one.exact for one in together))):
                billed = to_cents(plus(*(one.exact for one in together)))
                yield Reason(
                    f"The invoice asks for the total of {listed(map(account, together))}", billed, True
                )
                return
    if others and not bill.has_figures:
        yield Reason(f"Bills of this period stand under {listed(map(account, others))}: one may be meant")


def left_out(bill: Bill, book: Book) -> Iterator[Reason]:
    """The invoice is the bill without one or two of its parts."""
    parts = [part for part in PARTS if bill.parts.get(part)]
    found = False
    for some in (*combinations(parts, 1), *combinations(parts, 2)):
        amount = plus(*(bill.parts[part] for part in some))
        if found and len(some) > 1:
            return
        if len(some) < len(parts) and fits(bill, plus(bill.exact, -amount)):
            found = True
            words = f"The invoice seems not to include {listed(CALLED[part] for part in some)}"
            yield Reason(words, to_cents(amount), True)


def one_part_alone(bill: Bill, book: Book) -> Iterator[Reason]:
    parts = {part: amount for part, amount in bill.parts.items() if amount}
    for part, amount in parts.items():
        if len(parts) > 2 and fits(bill, amount):
            yield Reason(f"The total typed in is that of {CALLED[part]} alone", to_cents(amount), True)


def counted_twice(bill: Bill, book: Book) -> Iterator[Reason]:
    for part, amount in bill.parts.items():
        if amount and fits(bill, plus(bill.exact, amount)):
            yield Reason(f"The invoice is higher by {CALLED[part]} once more", to_cents(amount), True)


def one_service(bill: Bill, book: Book) -> Iterator[Reason]:
    for service, amount in bill.services.items():
        if amount and fits(bill, plus(bill.exact, -amount)):
            words = f"The invoice seems not to include the service category {service or '(none)'}"
            yield Reason(words, to_cents(amount), True)


def amortised(bill: Bill, book: Book) -> Iterator[Reason]:
    if fits(bill, bill.effective):
        words = "The total typed in is the amortised one, with commitments spread over their hours"
        yield Reason(words, to_cents(bill.effective), True)


def entered_apart(bill: Bill, book: Book) -> Iterator[Reason]:
    """Figures without an account, of a provider with several."""
    for other in book.siblings(bill):
        amount = other.parts.get("entered")
        if not other.deliveries and amount and fits(bill, plus(bill.exact, amount)):
            words = "The invoice seems to include what was entered by hand and names no account"
            yield Reason(words, to_cents(amount), True)


def other_days(bill: Bill, book: Book) -> Iterator[Reason]:
    """Lines are dated by their day, invoices by their billing period."""
    outside = plus(*bill.elsewhere.values())
    if outside and fits(bill, plus(bill.exact, -outside)):
        words = "The invoice seems not to include the lines dated outside its billing period"
        yield Reason(words, to_cents(outside), True)
    for other in book.neighbours(bill):
        when = in_words(other.period)
        inside = plus(*(amount for day, amount in other.elsewhere.items() if day in bill.period))
        if inside and fits(bill, plus(bill.exact, inside)):
            words = f"The invoice seems to include lines of this period that are on the bill of {when}"
            yield Reason(words, to_cents(inside), True)


def other_periods(bill: Bill, book: Book) -> Iterator[Reason]:
    """A refund came with another bill, or an amount was invoiced in another period."""
    for other in book.neighbours(bill):
        refund, name = other.parts.get("credits", Decimal(0)), in_words(other.period)
        if refund and fits(bill, plus(bill.exact, refund)):
            words = f"The invoice is lower by the credits that stand on the bill of {name}"
            yield Reason(words, to_cents(refund), True)
        if other.difference and other.difference == -(bill.difference or 0):
            words = f"{name} differs by as much the other way: something may stand in the wrong period"
            yield Reason(words, other.difference, True)


def whole_dollars(bill: Bill, book: Book) -> Iterator[Reason]:
    if bill.invoiced is None or bill.difference is None or not bill.has_figures:
        return
    if bill.invoiced == bill.invoiced.to_integral_value() and abs(bill.difference) < 1:
        yield Reason("The total typed in is in whole dollars", bill.difference, True)


def swapped_digits(bill: Bill, book: Book) -> Iterator[Reason]:
    if bill.invoiced is None:
        return
    typed, billed = str(cents(bill.invoiced)), str(cents(bill.total))
    for place in range(len(typed) - 1):
        if typed[:place] + typed[place + 1] + typed[place] + typed[place + 2 :] == billed:
            yield Reason("Two digits of the total typed in seem to be swapped", bill.total, True)


def missing_days(bill: Bill, book: Book) -> Iterator[Reason]:
    """Days of the period, as far as it is over, that no line speaks of."""
    if not bill.has_figures:
        return
    if not bill.days:
        yield Reason("The bill has no line within its period")
        return
    last = bill.period.last
    if last >= today():
        last = max(bill.days)
        words = f"The billing period runs until {day_in_words(bill.period.last)}; "
        yield Reason(f"{words}the bill has lines up to {day_in_words(last)}")
    missing = [day for day in Span(bill.period.start, last + ONE_DAY) if day not in bill.days]
    if missing:
        yield Reason(f"Nothing is stored for {days_in_words(missing)}")


def days_in_words(days: list[date]) -> str:
    spans = list(spans_of(days))
    words = [in_words(span) for span in spans[:MOST_SPANS]]
    if more := sum(span.length for span in spans[MOST_SPANS:]):
        words.append(f"{more} more days" if more > 1 else "1 more day")
    return listed(words)


def spelled_twice(bill: Bill, book: Book) -> Iterator[Reason]:
    if len(bill.deliveries) > 1:
        spelled = listed(sorted({f"{one.provider} {one.account}".strip() for one in bill.deliveries}))
        yield Reason(f"{len(bill.deliveries)} bills of this account and period are stored, under {spelled}")


def typed_in_twice(bill: Bill, book: Book) -> Iterator[Reason]:
    if len(bill.invoices) > 1:
        spelled = listed(sorted({f"{one.provider} {one.account}".strip() for one in bill.invoices}))
        yield Reason(f"{len(bill.invoices)} totals are typed in and added up, under {spelled}")


def account(bill: Bill) -> str:
    return f"account {bill.account}" if bill.account else "no account"


def listed(words: Iterable[str]) -> str:
    *most, last = list(words)
    return f"{', '.join(most)} and {last}" if most else last


IDEAS: tuple[Callable[[Bill, Book], Iterator[Reason]], ...] = (
    no_bill,
    left_out,
    one_part_alone,
    one_service,
    amortised,
    other_accounts,
    entered_apart,
    other_days,
    other_periods,
    counted_twice,
    whole_dollars,
    swapped_digits,
    missing_days,
    spelled_twice,
    typed_in_twice,
)
