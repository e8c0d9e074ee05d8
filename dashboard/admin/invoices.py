"""Invoice totals as finance types them in, on the page of the reconciliation or here."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from ..filters import check_day
from ..models import Invoice
from ..models.names import name_key
from ..naming import Names
from ..templatetags.ui import usd
from .base import HelioxAdmin
from .fields import Dollars, KnownNames, one_line


def stored_invoices(names: Names, provider: str, account: str, period_start: date) -> QuerySet[Invoice]:
    """Those of that account and period under any spelling, the first that was typed in first."""
    of_period = Invoice.objects.filter(period_start=period_start)
    wanted = name_key(names.provider(provider)), name_key(account)
    same = [
        one.pk
        for one in of_period
        if (name_key(names.provider(one.provider)), name_key(one.account)) == wanted
    ]
    return Invoice.objects.filter(pk__in=same).order_by("created_at")


class InvoiceForm(forms.ModelForm):
    total_usd = Dollars(label="Total in USD", help_text="Amount due, taxes included.")

    class Meta:
        model = Invoice
        fields = ("provider", "account", "period_start", "total_usd", "number", "note")

    def clean_provider(self) -> str:
        return one_line(self.cleaned_data["provider"])

    def clean_account(self) -> str:
        return one_line(self.cleaned_data["account"])

    def clean_number(self) -> str:
        return one_line(self.cleaned_data["number"])

    def clean_note(self) -> str:
        return one_line(self.cleaned_data["note"])

    def clean_period_start(self) -> date:
        check_day(self.cleaned_data["period_start"])
        return self.cleaned_data["period_start"]

    def clean(self) -> dict[str, Any]:
        got = super().clean() or self.cleaned_data
        if not self.errors:
            names = Names.load()
            same = stored_invoices(names, got["provider"], got["account"], got["period_start"])
            if same.exclude(pk=self.instance.pk).exists():
                raise ValidationError("The total of this invoice is typed in already, maybe under an alias.")
        return got


@admin.register(Invoice)
class InvoiceAdmin(KnownNames, HelioxAdmin):
    moves_figures = False
    form = InvoiceForm
    list_display = ["period_start", "provider", "account", "total", "number", "updated_at"]
    search_fields = ["provider", "account", "number", "note"]
    date_hierarchy = "period_start"
    readonly_fields = ["id", "created_at", "updated_at"]
    page_name = "reconcile"
    page_filters = ("provider",)
    adding_up = ("total_usd",)

    @admin.display(description="total", ordering="total_usd")
    def total(self, invoice: Invoice) -> str:
        return usd(invoice.total_usd)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        sets: list[Any] = [(None, {"fields": self.form.Meta.fields})]
        if obj:
            sets.append(("Row", {"fields": self.readonly_fields, "classes": ["collapse"]}))
        return sets
