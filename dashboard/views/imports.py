"""Files in the browser: sent, looked at as a dry run, confirmed, and undone."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import capfirst
from django.views.decorators.http import require_http_methods, require_safe

from ..access import importing
from ..ingest import uploads
from ..ingest.formats import FORMATS
from ..ingest.load import ON_CONFLICT, load
from ..ingest.summary import Summary
from ..ingest.undo import CannotUndo, months_touched, objections, undo
from ..ingest.values import BadValue, zone
from ..ingest.words import why_nothing
from ..models import ImportRun, MonthClose, Upload
from ..restating import restating
from .imported import page_of, taken_back

PER_PAGE = 25
MEGABYTE = 1024**2
WHERE_A_FIGURE_STANDS = {
    "refuse": "refuse the file and say so",
    "keep": "keep what is there",
    "replace": "replace it by the file’s figure",
    "add": "add the two, and what several of the files say of one day",
}


class FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One or more files, as a list."""

    widget = FilesInput(attrs={"class": "form-control"})

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        files = data or [None]
        cleaned = [super(FilesField, self).clean(file, initial) for file in files]
        if sum(file.size for file in cleaned) > settings.HELIOX_UPLOAD_MB * MEGABYTE:
            raise forms.ValidationError(too_large())
        return cleaned


def too_large() -> str:
    return (
        f"The files are larger than {settings.HELIOX_UPLOAD_MB} MB together. Pack them with gzip, "
        "or ask whoever runs the server to use manage.py ingest, which has no such limit."
    )


class OptionsForm(forms.Form):
    format = forms.ChoiceField(
        required=False,
        choices=[("", "Recognise from the content"), *((known.NAME, known.LABEL) for known in FORMATS)],
    )
    cluster = forms.CharField(
        required=False, max_length=255, help_text="For job logs: the cluster that they come from."
    )
    account = forms.CharField(
        required=False, max_length=255, help_text="For bills: the billing account of rows that name none."
    )
    time_zone = forms.CharField(
        required=False, max_length=64, help_text="Of times without an offset, such as Europe/Oslo. Else UTC."
    )
    team_tag = forms.CharField(
        required=False, max_length=255, help_text="For bills: the tag whose value names the team."
    )

    def clean_time_zone(self) -> str:
        named = self.cleaned_data["time_zone"].strip()
        try:
            zone(named)
        except BadValue as bad:
            raise forms.ValidationError(f"{named} is not {bad.expected}.") from None
        return named


class UploadForm(OptionsForm):
    files = FilesField(  # type: ignore[assignment]
        label="Files",
        help_text="Bills (FOCUS, CSV or gz), job logs (sacct --parsable2), or CSV of jobs, daily cost, "
        "daily usage, period entries or teams. All parts of one bill together.",
        error_messages={"empty": "The file is empty.", "required": "Choose a file."},
    )
    on_conflict = forms.ChoiceField(
        label="Where another figure stands already",
        choices=[(choice, WHERE_A_FIGURE_STANDS[choice].capitalize()) for choice in ON_CONFLICT],
        initial="refuse",
        required=False,
    )

    def clean_on_conflict(self) -> str:
        return self.cleaned_data["on_conflict"] or "refuse"


@importing
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """The form and the history."""
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if form.is_bound and form.is_valid():
        options = dict(form.cleaned_data)
        upload = uploads.keep(request.user, options.pop("files"), options)
        return redirect("import_review", upload.pk)
    runs = ImportRun.objects.select_related("user", "undone_by")
    listed = Paginator(runs, PER_PAGE).get_page(request.GET.get("page"))
    context = {"form": form, "runs": listed, "most_mb": settings.HELIOX_UPLOAD_MB}
    return render(request, "dashboard/imports.html", context, status=400 if form.errors else 200)


@importing
@require_http_methods(["GET", "HEAD", "POST"])
def review(request: HttpRequest, pk: UUID) -> HttpResponse:
    """GET is the dry run; POST confirms it, cancels it, or looks again with another choice on conflicts."""
    upload = Upload.objects.filter(pk=pk, user=request.user.pk).first()
    if upload is None:
        return gone(request)
    if request.method == "POST":
        return answer(request, upload)
    summary = run(upload, dry_run=True)
    form = OptionsForm(initial=upload.options)
    context = page_of(summary.as_json(), planned=True) | {
        "form": form,
        "why_nothing": why_nothing(summary),
        "on_conflict": upload.options.get("on_conflict") or "refuse",
        "closed": closed_months(summary.touched),
        "choices": [(name, words) for name, words in WHERE_A_FIGURE_STANDS.items() if name != "refuse"],
        "crumbs": crumbs("Review"),
    }
    return render(request, "dashboard/import_review.html", context)


def closed_months(touched: Collection[str]) -> list[str]:
    """Those among the months of which rows change, as YYYY-MM."""
    closed = MonthClose.objects.filter(withdrawn_at=None).values_list("month", flat=True).order_by("month")
    return [f"{month:%B %Y}" for month in closed if f"{month:%Y-%m}" in touched]


def run(upload: Upload, **how: Any) -> Summary:
    options = upload.options
    with uploads.sources(upload) as sources:
        return load(
            sources,
            uploads.options_of(upload),
            format=options.get("format") or None,
            on_conflict=options.get("on_conflict") or "refuse",
            **how,
        )


def answer(request: HttpRequest, upload: Upload) -> HttpResponse:
    what, choice = request.POST.get("do"), request.POST.get("on_conflict")
    if what == "confirm":
        return confirm(request, upload)
    if what == "cancel":
        upload.delete()
        messages.info(request, "The upload is cancelled. Nothing was imported.")
        return redirect("imports")
    if choice in ON_CONFLICT:
        look_again(upload, {"on_conflict": choice})
    elif what == "options":
        form = OptionsForm(request.POST)
        if form.is_valid():
            look_again(upload, form.cleaned_data)
        else:
            messages.error(
                request, " ".join(str(error) for errors in form.errors.values() for error in errors)
            )
    return redirect("import_review", upload.pk)


def look_again(upload: Upload, options: dict[str, str]) -> None:
    upload.options |= options
    upload.save(update_fields=["options"])


def confirm(request: HttpRequest, upload: Upload) -> HttpResponse:
    summary: Summary | None
    try:
        with restating():
            summary = run(upload, user=request.user, claim=lambda: uploads.claim(upload))
    except uploads.UploadIsGone:
        return gone(request)
    except IntegrityError:  # somebody wrote the same rows in the same moment
        summary = None
    if summary is None or not summary.committed:
        messages.error(request, "Not imported: what is stored has changed since you looked. Look again.")
        return redirect("import_review", upload.pk)
    if summary.run is None:
        messages.info(request, f"{capfirst(why_nothing(summary))}. Nothing was changed.")
        return redirect("imports")
    messages.success(request, f"Imported: {', '.join(summary.files)}.")
    return redirect("import", summary.run)


def gone(request: HttpRequest) -> HttpResponse:
    messages.info(request, "That upload was confirmed or cancelled already, or is older than a day.")
    return redirect("imports")


@importing
@require_safe
def one(request: HttpRequest, pk: int) -> HttpResponse:
    done = get_object_or_404(ImportRun.objects.select_related("user", "undone_by"), pk=pk)
    said = [(name.replace("_", " ").capitalize(), value) for name, value in done.options.items() if value]
    context = page_of(done.summary) | {"run": done, "options": said, "crumbs": crumbs(f"Import {done.pk}")}
    return render(request, "dashboard/import.html", context)


@importing
@require_http_methods(["GET", "HEAD", "POST"])
def take_back(request: HttpRequest, pk: int) -> HttpResponse:
    """GET asks, and says what stands in the way; POST undoes."""
    done = get_object_or_404(ImportRun, pk=pk)
    if request.method == "POST":
        return undone(request, done)
    context = page_of(done.summary) | {
        "run": done,
        "reasons": list(objections(done)),
        "closed": closed_months(months_touched(done)),
        "taken_back": taken_back(done.summary),
        "crumbs": crumbs("Undo", done),
    }
    return render(request, "dashboard/import_undo.html", context)


def undone(request: HttpRequest, done: ImportRun) -> HttpResponse:
    try:
        with restating():
            undo(done.pk, request.user)
    except CannotUndo as refused:
        messages.error(request, f"Import {done.pk} cannot be undone. {refused}")
    else:
        messages.success(request, f"Import {done.pk} is undone: every table is as it was before.")
    return redirect("import", done.pk)


def crumbs(here: str, within: ImportRun | None = None) -> list[dict[str, str]]:
    path = [{"label": "Imports", "url": reverse("imports")}]
    if within is not None:
        path.append({"label": f"Import {within.pk}", "url": reverse("import", args=[within.pk])})
    return [*path, {"label": here, "url": ""}]
