"""To the invoice: each bill in its parts, what finance typed in, the difference and what could explain it."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render

from ..clock import today
from ..counted import counted
from ..periods import in_words
from ..reports.differences import days_in_words, reasons
from ..reports.invoices import PARTS, STATES, Bill, Reason, TieOut, plus, tie_out
from ..scope import Scope
from ..templatetags import ui
from . import typed_in
from .asked import Asked, clamped, figure
from .how import How
from .panels import PRESET, panel

COLUMNS = (
    "provider",
    "account",
    "period_start",
    "period_end",
    *(f"{part}_usd" for part in PARTS),
    "bill_usd",
    "invoice_usd",
    "difference_usd",
    "state",
    "invoice_number",
    "note",
    "could_explain_it",
)


class AskedOfInvoices(Asked):
    """An invoice is what is billed, whatever basis the other pages show."""

    @property
    def scope(self) -> Scope:
        return self.filter.scope.but(basis="billed")


def page(request: HttpRequest) -> HttpResponseBase:
    asked = AskedOfInvoices.of(request, ["provider"], preset=PRESET)
    answer = typed_in.answer(request, asked.names) if request.method == "POST" else None
    found = tie_out(asked.scope, asked.names, reasons)
    if answer and answer.saved:
        return HttpResponseRedirect(request.get_full_path() + place_of(found, answer, asked))
    if file := asked.export("invoices", COLUMNS, lambda: file_rows(found), control(found)):
        return file
    pages = Paginator(found.bills, asked.per_page)
    bills = pages.get_page(clamped(request.GET.get("page", ""), 1, pages.num_pages))
    parts = [part for part in PARTS if any(part in bill.parts for bill in found.bills)]
    context = asked.context(
        **panel(asked, "invoice"),
        figures=figures(asked, found) if found.bills else [],
        tie=words(found),
        parts=[PARTS[part] for part in parts],
        rows=[row(asked, bill, parts, answer) for bill in bills],
        total=found,
        part_totals=[found.part(part) for part in parts],
        columns=len(parts) + 5,
        pages=links(asked, bills),
        how_parts=how_parts(asked, found),
        new=new_invoice(asked, found, answer),
    )
    return render(request, "dashboard/reconcile_invoices.html", context)


def place_of(found: TieOut, answer: typed_in.Answer, asked: Asked) -> str:
    about = (anchor(bill) for bill in found.bills if answer.is_about(bill, asked.names))
    return "#" + next(about, "main")


def anchor(bill: Bill) -> str:
    return f"bill-{sha256(repr(bill.key).encode()).hexdigest()[:10]}"


# The tie-out


def words(found: TieOut) -> dict[str, Any]:
    """The equation of the bills that have an invoice, and the sentence above it."""
    matching, typed = len(found.in_state("matches")), len(found.with_invoice)
    return {
        "matching": matching,
        "typed": typed,
        "rest": typed - matching,
        "apart": found.apart,
        "unexplained": found.unexplained,
        "untyped": len(found.in_state("no_invoice")),
    }


def figures(asked: Asked, found: TieOut) -> list[dict[str, Any]]:
    typed, untyped = found.with_invoice, found.in_state("no_invoice")
    equation = f"{ui.usd(found.invoiced)} − {ui.usd(found.billed_with_invoice)} = {ui.usd(found.difference)}"
    return [
        figure(
            "Invoices that match",
            f"{len(found.in_state('matches'))} of {len(typed)}" if typed else "–",
            "to the cent" if typed else "none is typed in yet",
            how=how(asked, found, "invoice-difference"),
        ),
        figure("Invoiced", ui.usd(found.invoiced), "typed in", how=how(asked, found, "invoice-difference")),
        figure(
            "Billed, of the same",
            ui.usd(found.billed_with_invoice),
            "bills that have an invoice",
            how=how_parts(asked, found),
        ),
        figure(
            "Difference",
            ui.usd(found.difference),
            difference_in_words(found),
            how=how(asked, found, "invoice-difference", equation),
        ),
        figure(
            "Without an invoice",
            ui.count(len(untyped)),
            f"{ui.usd(sum((bill.total for bill in untyped), found.billed * 0))} billed",
            how=how_parts(asked, found),
        ),
    ]


def difference_in_words(found: TieOut) -> str:
    if not found.apart:
        return "nothing is unexplained" if found.with_invoice else "nothing to compare yet"
    return f"{ui.usd(found.unexplained)} of {ui.usd(found.apart)} unexplained"


def how(asked: Asked, found: TieOut, term: str, formula: str = "") -> How:
    rows = sum(bill.rows for bill in found.bills)
    places = counted(len(found.bills), "account and period", "accounts and periods")
    behind = f"{counted(rows, 'row')} of bills, in {places}"
    return asked.how(term, formula=formula, rows=behind)


def how_parts(asked: Asked, found: TieOut) -> How:
    parts = (f"{label} {ui.usd(found.part(part))}" for part, label in PARTS.items() if found.part(part))
    return how(asked, found, "bill-parts", " + ".join(parts) + f" = {ui.usd(found.billed)}")


# The rows


def row(asked: Asked, bill: Bill, parts: list[str], answer: typed_in.Answer | None) -> dict[str, Any]:
    name = anchor(bill)
    typed = form(asked, bill, name, answer)
    return {
        "bill": bill,
        "anchor": name,
        "name": ", ".join(filter(None, [bill.provider, bill.account, in_words(bill.period)])),
        "period": in_words(bill.period),
        "state": STATES[bill.state],
        "parts": [cell(asked, bill, part) for part in parts],
        "reasons": bill.reasons,
        "notes": notes(bill),
        "form": typed,
        "folded": bool(typed and not typed.errors and not is_due(bill)),
    }


def is_due(bill: Bill) -> bool:
    """Whether its invoice is still to be typed in, or to be mended."""
    return bill.state != "matches" and (bool(bill.invoices) or bill.period.end <= today())


def cell(asked: Asked, bill: Bill, part: str) -> dict[str, Any]:
    """usd None where the bill has no such part. The pages of cost know GPUs and what was entered."""
    days = {"start": bill.period.start, "end": bill.period.last}
    known = part in bill.parts
    url = asked.link("costs", **days, provider=bill.provider, basis="billed") if known else ""
    return {"usd": bill.shown[part] if known else None, "url": url if part in ("gpu", "entered") else ""}


def notes(bill: Bill) -> list[Reason]:
    """What belongs to a bill whether or not its invoice matches."""
    if not bill.elsewhere:
        return []
    days, amount = days_in_words(list(bill.elsewhere)), plus(*bill.elsewhere.values())
    return [Reason(f"Of it on days outside the period, {days}", amount)]


def form(asked: Asked, bill: Bill, name: str, answer: typed_in.Answer | None) -> Any:
    """Empty for those who may only look; as it was sent where something in it is to be mended."""
    if not typed_in.may_type_in(asked.request.user):
        return None
    if answer and answer.is_about(bill, asked.names):
        answer.typed.auto_id = f"{name}-%s"
        return answer.typed
    return typed_in.boxes(bill, name)


def new_invoice(asked: Asked, found: TieOut, answer: typed_in.Answer | None) -> dict[str, Any] | None:
    """For an invoice whose bill is on no row."""
    if not typed_in.may_type_in(asked.request.user):
        return None
    mine = answer and not any(answer.is_about(bill, asked.names) for bill in found.bills)
    which = answer.which if answer and mine else typed_in.Which(auto_id="new-%s")
    typed = answer.typed if answer and mine else typed_in.TypedIn(auto_id="new-%s")
    which.auto_id = typed.auto_id = "new-%s"
    return {
        "which": which,
        "typed": typed,
        "open": bool(mine),
        "providers": sorted({*asked.names.provider_choices(), *(bill.provider for bill in found.bills)}),
    }


def links(asked: Asked, bills: Any) -> dict[str, Any] | None:
    if bills.paginator.num_pages < 2:
        return None

    def to(number: int) -> str:
        return asked.here(page=number) + "#rows"

    listed = bills.paginator
    return {
        "shown": f"Page {bills.number} of {listed.num_pages}, {counted(listed.count, 'bill')}",
        "newer_url": to(bills.number - 1) if bills.has_previous() else None,
        "older_url": to(bills.number + 1) if bills.has_next() else None,
        "older_label": "Next",
    }


# The file


def file_rows(found: TieOut) -> Iterable[tuple[Any, ...]]:
    for bill in found.bills:
        invoice = bill.invoice
        yield (
            bill.provider,
            bill.account,
            bill.period.start,
            bill.period.last,
            *(bill.shown[part] if part in bill.parts else None for part in PARTS),
            bill.total,
            bill.invoiced,
            bill.difference,
            STATES[bill.state],
            invoice.number if invoice else "",
            invoice.note if invoice else "",
            "; ".join(map(told, [*bill.reasons, *notes(bill)])),
        )


def told(reason: Reason) -> str:
    return reason.text if reason.usd is None else f"{reason.text}: {ui.usd(reason.usd)}"


def control(found: TieOut) -> str:
    return f"{found.billed} USD billed, {found.invoiced} USD invoiced"
