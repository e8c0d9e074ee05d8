"""Jobs: one by one, and the status of many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import chain
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html

from .. import gpu_time, rollups
from ..counted import are, counted, have, was
from ..ingest.reapply import reapply
from ..joblist import SORTED, newest, stretches
from ..models import Job, Team
from ..models.entities import KNOWN_STATUSES, JobQuerySet
from ..scope import Span, buckets
from ..templatetags.ui import hours
from . import history
from .base import CarefulChangeList, HelioxAdmin, words_of
from .fields import KnownNames, suggest
from .filters import (
    EndFilter,
    GpuTypeFilter,
    ProviderFilter,
    QualityFilter,
    StatusFilter,
    TeamFilter,
    names_of,
)
from .forms import FINISHED, JobForm, StatusForm

MOST_AT_ONCE = 10_000
MOST_LISTED = 1_000
MAPPED = ("provider", "gpu_type", "gpu_count")
LOGGED = ("external_id", "cluster", "partition", "account", "raw_gpu_type", "raw_gpu_count", "submitted_by")


class AtLeast(int):
    """A number that stands for itself and more; Django prints it in many places."""

    def __str__(self) -> str:
        return f"{int(self):,}+"


class PagesOfJobs(Paginator):
    """No more pages than can be turned quickly: filters and the days above the list lead to the others."""

    @cached_property
    def count(self) -> int:
        number = stretches.count(self.object_list, MOST_LISTED)  # type: ignore[arg-type]
        return number if number <= MOST_LISTED else AtLeast(MOST_LISTED)


class ListOfJobs(CarefulChangeList):
    """Newest first, or sorted by a column where the jobs are not too many for that."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        whole = not self.multi_page or (self.show_all and self.can_show_all)
        first = 0 if whole else (self.page_num - 1) * self.list_per_page
        upto = self.result_count if whole else first + self.list_per_page
        if ORDER_VAR not in self.params:
            self.result_list = newest(self.queryset, upto, first)
        elif stretches.count(self.queryset, SORTED) <= SORTED:
            self.result_list = self.queryset[first:upto]
        else:
            words = f"More than {SORTED:,} jobs are too many to sort by a column: the newest come first."
            self.model_admin.message_user(request, words, messages.WARNING)
            self.result_list = newest(self.queryset, upto, first)


class JobsByEdges(JobQuerySet):
    """Offers every year, month or day between the first and the last, without a look at each job."""

    def edges(self) -> dict[str, datetime | None]:
        started = self.annotate(sort_value=F("start_time")).filter(sort_value__isnull=False)
        ends = [stretches.first(started, newest_first, 1) for newest_first in (False, True)]
        when = dict(Job.objects.filter(pk__in=chain(*ends)).values_list("pk", "start_time"))
        first, last = (when[keys[0]] if keys else None for keys in ends)
        return {"first": first, "last": last}

    def aggregate(self, *args: Any, **asked: Any) -> dict[str, Any]:
        """The list of days asks for the first and the last start."""
        return self.edges() if asked.keys() == {"first", "last"} else super().aggregate(*args, **asked)

    def datetimes(self, field_name: str, kind: str, order: str = "ASC", tzinfo: Any = None) -> Any:
        edges = self.edges()
        if edges["first"] is None:
            return []
        first, last = (timezone.localtime(edges[edge]).date() for edge in ("first", "last"))
        if kind == "year":
            return [date(year, 1, 1) for year in range(first.year, last.year + 1)]
        return buckets(Span.inclusive(first, last), kind)


@admin.register(Job)
class JobAdmin(KnownNames, HelioxAdmin):
    form = JobForm
    list_display = [
        "model_name",
        "team",
        "provider",
        "gpu_type",
        "gpus",
        "status",
        "start_time",
        "end_time",
        "external_id",
    ]
    list_filter = [StatusFilter, ProviderFilter, GpuTypeFilter, EndFilter, QualityFilter, TeamFilter]
    list_select_related = ["team"]
    search_fields = ["model_name"]  # opens the box; what it finds is below
    most_words = 4  # each may be of a model or a team, and a word more is twice as many stretches to read
    search_help_text = "Model, team, user, the scheduler's id, or a whole job id."
    date_hierarchy = "start_time"
    ordering = [F("start_time").desc(nulls_last=True), "-pk"]
    show_full_result_count = False
    autocomplete_fields = ["team"]
    actions = ["change_status"]
    page_name = "jobs"
    page_filters = ("provider", "gpu_type", "team", "status", "quality", "q")

    @admin.display(description="GPUs", ordering="gpu_count")
    def gpus(self, job: Job) -> str:
        return f"{job.gpu_count.normalize():f}"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return JobsByEdges(self.model)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ListOfJobs

    def get_paginator(self, request: HttpRequest, queryset: Any, per_page: int, *args: Any) -> Paginator:
        """Of the list, or of the history of one job."""
        pages = PagesOfJobs if queryset.model is Job else Paginator
        return pages(queryset, per_page, *args)

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet, bool]:
        words = dict.fromkeys(words_of(search_term))
        if len(words) > self.most_words:
            return self.too_many_words(request, queryset)
        for word in words:
            teams = list(Team.objects.filter(name__icontains=word).values_list("pk", flat=True))
            queryset = queryset.found_by(word, *([Q(team__in=teams)] if teams else []))
        return queryset, False

    def get_fieldsets(self, request: HttpRequest, obj: Job | None = None) -> list[Any]:
        times = f"Times in {settings.TIME_ZONE}. Empty where the job has not started, or has not ended."
        sets = [
            (None, {"fields": ["team", "model_name", "status"]}),
            ("GPUs", {"fields": MAPPED, "description": self.words_on_mapping(obj)}),
            ("Time", {"fields": ["submit_time", "start_time", "end_time"], "description": times}),
        ]
        if obj and (obj.cluster or obj.external_id):
            logged = ["team_set_by_hand", *LOGGED]
            words = "As the log said it; mappings are looked up by these."
            sets.append(("From the scheduler", {"fields": logged, "description": words}))
        if obj:
            row = ["id", "written_by", "created_at", "updated_at"]
            sets.append(("Row", {"fields": row, "classes": ["collapse"]}))
        return sets

    def words_on_mapping(self, job: Job | None) -> str:
        if job is None or not job.raw_gpu_type:
            return ""
        return format_html(
            'The log says {} on {}. <a href="{}">Mappings</a> make a provider and a GPU type of it: '
            "change it there, and all such jobs follow.",
            job.raw_gpu_type,
            job.cluster,
            reverse("mappings"),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Job | None = None) -> list[str]:
        always = [*LOGGED, "id", "written_by", "created_at", "updated_at"]
        return [*always, *MAPPED] if obj and obj.raw_gpu_type else always

    @admin.display(description="written by")
    def written_by(self, job: Job) -> str:
        return f"import {job.imported_by_id}" if job.imported_by_id else "hand or other tools"

    def get_form(
        self, request: HttpRequest, obj: Job | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm]:
        return suggest(super().get_form(request, obj, change, **kwargs), status=KNOWN_STATUSES)

    def log_addition(self, *args: Any) -> Any:
        transaction.on_commit(rollups.settle_if_worth_it)
        return super().log_addition(*args)

    def log_change(self, *args: Any) -> Any:
        transaction.on_commit(rollups.settle_if_worth_it)
        return super().log_change(*args)

    def log_deletions(self, *args: Any) -> Any:
        transaction.on_commit(rollups.settle_if_worth_it)
        return super().log_deletions(*args)

    def save_model(self, request: HttpRequest, obj: Job, form: ModelForm, change: bool) -> None:
        if change and "team" in form.changed_data:
            obj.team_set_by_hand = True
        super().save_model(request, obj, form, change)
        if change and "team_set_by_hand" in form.changed_data and not obj.team_set_by_hand:
            reapply(Job.objects.filter(pk=obj.pk))
        if obj.status not in KNOWN_STATUSES:
            known = ", ".join(KNOWN_STATUSES)
            words = f"“{obj.status}” is kept as it is. It is none of the known statuses: {known}."
            self.message_user(request, words, messages.WARNING)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        listed, counts, lacking, protected = super().get_deleted_objects(objs, request)
        jobs = Job.objects.filter(pk__in=[job.pk for job in objs]) if isinstance(objs, list) else objs
        lost = hours(gpu_time.gpu_hours(jobs, names_of(request)))
        return listed, counts | {"job GPU-hours": lost}, lacking, protected

    @admin.action(description="Change the status of the selected jobs", permissions=["change"])
    def change_status(self, request: HttpRequest, jobs: QuerySet) -> HttpResponse | None:
        number = stretches.count(jobs, MOST_AT_ONCE)
        if number > MOST_AT_ONCE:
            words = f"More than {MOST_AT_ONCE:,} jobs are selected: that is the most to change at once."
            self.message_user(request, words, messages.ERROR)
            return None
        form = StatusForm(request.POST if "confirm" in request.POST else None, jobs=jobs.order_by())
        if form.is_valid():
            self.save_statuses(request, jobs, **form.cleaned_data)
            return None
        return self.ask_for_status(request, jobs, form, number)

    def ask_for_status(
        self, request: HttpRequest, jobs: QuerySet, form: StatusForm, number: int
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "Change the status",
            "opts": self.opts,
            "media": self.media + form.media,
            "form": form,
            "number": number,
            "statuses": jobs.order_by("status").values_list("status").annotate(Count("pk")),
            "without_end": form.without_end().count(),
            "zone": settings.TIME_ZONE,
            "checkbox": ACTION_CHECKBOX_NAME,
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across", "0"),
        }
        return TemplateResponse(request, "admin/dashboard/job/change_status.html", context)

    @transaction.atomic
    def save_statuses(
        self, request: HttpRequest, jobs: QuerySet, status: str, end_time: datetime | None
    ) -> None:
        outcome = new_statuses(jobs.select_for_update(of=("self",)), status, end_time)
        at = timezone.now()
        for some in in_batches(outcome.changed):
            Job.objects.filter(pk__in=some).update(status=status, updated_at=at)
        for some in in_batches(outcome.ended):
            Job.objects.filter(pk__in=some).update(end_time=end_time)
        history.log(request, outcome.entries)
        transaction.on_commit(rollups.settle_if_worth_it)
        for words, level in outcome.in_words(status):
            self.message_user(request, words, level)


@dataclass
class Outcome:
    """entries: the jobs that change, by what the history says of them. ended, left: their ids."""

    entries: dict[str, list[Job]] = field(default_factory=lambda: defaultdict(list))
    ended: list[UUID] = field(default_factory=list)
    left: list[UUID] = field(default_factory=list)

    @property
    def changed(self) -> list[UUID]:
        return [job.pk for jobs in self.entries.values() for job in jobs]

    def in_words(self, status: str) -> list[tuple[str, int]]:
        number = len(self.changed)
        said = [(f"{counted(number, 'job')} {are(number)} {status} now.", messages.SUCCESS)]
        if self.ended:
            said.append((f"{len(self.ended):,} of them had no end and got the one given.", messages.INFO))
        if self.left:
            number = len(self.left)
            why = "no end" if status in FINISHED else "ended"
            words = f"{counted(number, 'job')} {have(number)} {why} and {was(number)} left alone."
            said.append((words, messages.WARNING))
        return said


def new_statuses(jobs: Iterable[Job], status: str, end_time: datetime | None) -> Outcome:
    """A job that has started is finished only with an end, and runs or waits only without one."""
    outcome = Outcome()
    for job in jobs:
        needs_end = status in FINISHED and job.start_time is not None and job.end_time is None
        if (needs_end and end_time is None) or (status not in FINISHED and job.end_time):
            outcome.left.append(job.pk)
            continue
        words = []
        if job.status != status:
            words.append(f"status: {job.status} → {status}")
        if needs_end:
            words.append(f"end time: none → {history.in_words(end_time)}")
            outcome.ended.append(job.pk)
        if words:
            outcome.entries["; ".join(words)].append(job)
    return outcome


def in_batches(keys: list[UUID], size: int = 500) -> Iterable[list[UUID]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))
