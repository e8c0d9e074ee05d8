"""What is unmatched, ranked, with one click to map it; and the mappings that there are."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.admin.models import ADDITION
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.forms import modelform_factory
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from .. import audit
from ..access import check_export, may_add, may_administer, may_export, viewing
from ..admin import history
from ..admin.mappings import moved_in_words
from ..admin.meanwhile import take_turn
from ..exports import FORMATS, Export
from ..filters import query
from ..gpu_time import MICROHOUR
from ..ingest.reapply import reapply
from ..models import NameAlias
from ..money import CENT
from ..naming import Names
from ..reports.freshness import Freshness
from ..reports.unmatched import unmatched
from ..restating import restating
from .asked import refusal
from .kept import kept
from .unmatched import MAPPINGS, Table, address, tables_of

MOST_ROWS = 100
MOST_PRESENT = 12
FILE_COLUMNS = ("unmatched", "name", "jobs", "gpu_hours", "cost_usd")


@viewing
@require_http_methods(["GET", "HEAD", "POST"])
@kept
def page(request: HttpRequest) -> HttpResponseBase:
    if request.method == "POST":
        return map_one(request)
    names = Names.load()
    found = unmatched(names, settings.HELIOX_COST_BASIS)
    tables = tables_of(found)
    if kind := request.GET.get("_export"):
        return file_of(request, kind, tables)
    context = {
        "tables": [table for table in tables if table.rows],
        "nothing_stored": found.is_empty and Freshness.load(names).last is None,
        "may_map": may_map(request),
        "present": present(request),
        "exports": export_links(request) if not found.is_empty else [],
        "most": MOST_ROWS,
        "most_rows": f":{MOST_ROWS}",
    }
    return render(request, "dashboard/mappings.html", context)


def map_one(request: HttpRequest) -> HttpResponseBase:
    model, fields = MAPPINGS.get(request.POST.get("what", ""), (None, ()))
    if model is None:
        return refusal("There is no such mapping.")
    if not may_add(request.user, model):
        raise PermissionDenied("Your role may look at mappings but not add any.")
    form = modelform_factory(model, fields=fields)(request.POST)
    with restating(), transaction.atomic():
        take_turn(model._meta.db_table)
        if form.is_valid():
            save(request, form)
        else:
            words = " ".join(str(error) for errors in form.errors.values() for error in errors)
            messages.error(request, f"Nothing was mapped. {words}")
    return HttpResponseRedirect(reverse("mappings"))


def save(request: HttpRequest, form: Any) -> None:
    mapping = form.save()
    history.log(request, {f"{history.added(mapping)}; from the list of unmatched": [mapping]}, ADDITION)
    words = f"{mapping}."
    if not isinstance(mapping, NameAlias):
        words += f" {moved_in_words(reapply())}"
    messages.success(request, words)


def present(request: HttpRequest) -> list[dict[str, Any]]:
    """The mappings in force in short: the first few of each kind and how many there are."""
    return [
        {
            "title": model._meta.verbose_name_plural,
            "count": model.objects.count(),
            "first": [str(mapping) for mapping in first(model)],
            "all_url": address(what, "changelist") if may_administer(request.user) else "",
            "add_url": address(what, "add") if may_map(request) else "",
        }
        for what, (model, _) in MAPPINGS.items()
    ]


def first(model: Any) -> Iterable[Any]:
    rows = model.objects.select_related("team") if hasattr(model, "team") else model.objects.all()
    return rows[:MOST_PRESENT]


def may_map(request: HttpRequest) -> bool:
    """The forms beside the buttons are the admin's, so both are for those who may use it."""
    return may_administer(request.user) and may_add(request.user, *(model for model, _ in MAPPINGS.values()))


# The file


def export_links(request: HttpRequest) -> list[dict[str, str]]:
    if not may_export(request.user):
        return []
    return [{"label": f"Download {label}", "url": query(_export=kind)} for kind, label in FORMATS.items()]


def file_of(request: HttpRequest, kind: str, tables: list[Table]) -> HttpResponseBase:
    check_export(request.user)
    if kind not in FORMATS:
        return refusal(f"“{kind[:20]}” is not a file format here. Ask for {' or '.join(FORMATS)}.")
    rows = [
        (table.title, row.name, row.jobs, rounded(row.gpu_hours, MICROHOUR), rounded(row.usd, CENT))
        for table in tables
        for row in table.rows
    ]
    about = [("Cost basis", settings.HELIOX_COST_BASIS)]
    told = audit.exporting(request.path, f"{kind} unmatched: everything")
    return Export("heliox_unmatched", FILE_COLUMNS, rows, about, told=told).response(kind)


def rounded(amount: Decimal | None, step: Decimal) -> Decimal | None:
    return None if amount is None else amount.quantize(step, ROUND_HALF_UP)
