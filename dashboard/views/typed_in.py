"""Typing in what an invoice asks for: a form of a few boxes on every bill of the reconciliation."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from ..access import User
from ..admin import history
from ..admin.fields import Dollars, one_line
from ..admin.invoices import stored_invoices
from ..filters import check_day
from ..models import Invoice
from ..naming import Names
from ..periods import day_in_words
from ..reports.invoices import Bill, month_from
from ..templatetags.ui import usd

MEANWHILE = "Somebody typed in {} meanwhile. Save again to put your total in its place."


def may_type_in(user: User) -> bool:
    return user.has_perms(["dashboard.add_invoice", "dashboard.change_invoice"])


def may_take_away(user: User) -> bool:
    return user.has_perm("dashboard.delete_invoice")


class Which(forms.Form):
    """The invoice that a total is typed in for."""

    provider = forms.CharField(max_length=100, widget=forms.TextInput(attrs={"list": "known-providers"}))
    account = forms.CharField(max_length=255, required=False, label="Billing account")
    period_start = forms.DateField(
        label="First day of the period",
        input_formats=["%Y-%m-%d", "%Y-%m"],
        validators=[check_day],
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Write the day like 2026-03-01."},
    )

    def clean_provider(self) -> str:
        return one_line(self.cleaned_data["provider"])

    def clean_account(self) -> str:
        return one_line(self.cleaned_data["account"])


class TypedIn(forms.ModelForm):
    """was: the total that the page showed, so that nobody's change is overwritten unseen."""

    total_usd = Dollars(label="Invoice total in USD", required=False)
    was = forms.CharField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Invoice
        fields = ("total_usd", "number", "note")
        labels = {"number": "Number"}

    def clean_number(self) -> str:
        return one_line(self.cleaned_data["number"])

    def clean_note(self) -> str:
        return one_line(self.cleaned_data["note"])

    def clean_total_usd(self) -> Decimal | None:
        total = self.cleaned_data["total_usd"]
        if total is None and self.is_new:
            raise ValidationError("Type in the total of the invoice.")
        return total

    def clean(self) -> dict[str, Any]:
        got = super().clean() or self.cleaned_data
        stored = "" if self.is_new else str(self.initial["total_usd"])
        if stored and got.get("was", "") != stored:
            self.data = {**self.data.dict(), "was": stored}  # type: ignore[attr-defined]
            raise ValidationError({"total_usd": MEANWHILE.format(usd(Decimal(stored)))})
        return got

    @property
    def is_new(self) -> bool:
        return self.instance._state.adding


@dataclass(frozen=True)
class Answer:
    """The two forms as they were sent; saved: nothing is left to mend."""

    which: Which
    typed: TypedIn
    saved: bool = False

    def is_about(self, bill: Bill, names: Names) -> bool:
        got = self.which.cleaned_data
        if not self.which.is_valid():
            return False
        other = Bill(names.provider(got["provider"]), got["account"], month_from(got["period_start"]))
        return other.key == bill.key


def answer(request: HttpRequest, names: Names) -> Answer:
    if not may_type_in(request.user):
        raise PermissionDenied("Your role may look at invoices but not type in their totals.")
    which = Which(request.POST)
    if not which.is_valid():
        return Answer(which, TypedIn(request.POST))
    try:
        with transaction.atomic():
            return save(request, which, names)
    except IntegrityError:  # two typed in the same invoice at the same moment
        with transaction.atomic():
            return Answer(which, TypedIn(request.POST, instance=instance_of(which, names)))


def instance_of(which: Which, names: Names) -> Invoice:
    got = which.cleaned_data
    stored = stored_invoices(names, got["provider"], got["account"], got["period_start"])
    return stored.select_for_update().first() or Invoice(**got)


def save(request: HttpRequest, which: Which, names: Names) -> Answer:
    typed = TypedIn(request.POST, instance=instance_of(which, names))
    if not typed.is_valid():
        return Answer(which, typed)
    if typed.cleaned_data["total_usd"] is None:
        remove(request, typed)
    elif typed.is_new or changed(typed):
        keep(request, typed)
    else:
        messages.info(request, f"{called(typed.instance)}: nothing was changed.")
    return Answer(which, typed, saved=True)


def keep(request: HttpRequest, typed: TypedIn) -> None:
    action = ADDITION if typed.is_new else CHANGE
    old = typed.initial.get("total_usd")
    invoice = typed.save()
    history.log(request, {told(typed): [invoice]}, action)
    new = usd(invoice.total_usd)
    words = f"{usd(old)} became {new}" if action == CHANGE and old != invoice.total_usd else f"{new} is kept"
    messages.success(request, f"{called(invoice)}: {words}.")


def told(typed: TypedIn) -> str:
    return "; ".join(history.change(typed, name) for name in changed(typed))


def changed(typed: TypedIn) -> list[str]:
    return [name for name in typed.changed_data if name in typed.Meta.fields]


def remove(request: HttpRequest, typed: TypedIn) -> None:
    if not may_take_away(request.user):
        raise PermissionDenied("Your role may not take away the total of an invoice.")
    invoice = Invoice.objects.get(pk=typed.instance.pk)
    details = [usd(invoice.total_usd)]
    details += [f"number {invoice.number}"] if invoice.number else []
    details += [f"note “{invoice.note}”"] if invoice.note else []
    removed = ", ".join(details)
    history.log(request, {history.removed(invoice): [invoice]}, DELETION)
    invoice.delete()
    messages.warning(request, f"{called(invoice)}: {removed} was removed. To have it back, type it in again.")


def called(invoice: Invoice) -> str:
    period = f"period from {day_in_words(invoice.period_start)}"
    return ", ".join(filter(None, [invoice.provider, invoice.account, period]))


def boxes(bill: Bill, anchor: str) -> TypedIn:
    """The form of one bill, filled with what is typed in."""
    typed = TypedIn(instance=bill.invoice or Invoice(), auto_id=f"{anchor}-%s")
    if bill.invoice:
        total = bill.invoice.total_usd
        typed.initial = {**typed.initial, "total_usd": f"{total:,.2f}", "was": str(total)}
    return typed
