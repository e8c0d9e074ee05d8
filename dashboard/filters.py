"""The filters that all pages share, read from the query string into one Scope."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache, cached_property, lru_cache
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import django_filters
from django import forms
from django.conf import settings
from django.core.validators import MaxLengthValidator, ProhibitNullCharactersValidator
from django.http import QueryDict
from django.utils.choices import BaseChoiceIterator
from django_filters.fields import ModelMultipleChoiceField

from . import model_names
from .clock import today
from .models import Job, Team
from .models.calendar import FIRST_DAY, LAST_DAY
from .models.entities import KNOWN_STATUSES
from .naming import Names
from .periods import LAST_DAYS, PRESETS, in_words, preset_span
from .remembered import until_written
from .reports.compare import AGAINST
from .reports.freshness import Freshness
from .reports.job_time import jobs_of
from .reports.oddities import ODDITIES
from .reports.sharing import IDLE_VIEWS
from .scope import BUCKETS, Scope, Span

MOST_MODELS = 200
SEVERAL = (tuple, list)
NO_TEAM = {
    "invalid_choice": "There is no such team any more: all are shown.",
    "invalid_pk_value": "That is no team: all are shown.",
}
GROUPS = {"provider": "provider", "gpu_type": "GPU type"}
BASES = {"effective": "effective", "billed": "billed"}
VIEWED = ("bucket", "group_by", "basis", "by", "then_by", "idle", "compare")
HOW_SHOWN = ("preset", "start", "end", *VIEWED)
SHARED_BY = {"team": "team", "model": "model", "provider": "provider", "gpu_type": "GPU type"}


class Offered(BaseChoiceIterator):
    """Choices as they are; Django would look into each of a list for groups of others."""

    def __init__(self, choices: Iterable[tuple[str, str]]) -> None:
        self.choices = choices

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.choices)


class AnyOf(forms.MultipleChoiceField):
    """Offers choices and accepts others: a bookmarked name without rows gives an empty page, not an error."""

    def valid_value(self, value: Any) -> bool:
        check_text(value)
        return True


class AnyOfFilter(django_filters.MultipleChoiceFilter):
    field_class = AnyOf


class Teams(ModelMultipleChoiceField):
    def clean(self, value: Any) -> Any:
        try:
            return super().clean([pk for pk in value or [] if pk])
        except forms.ValidationError as error:
            if error.code == "invalid":  # a UUID's own words, which tell nobody what to do
                raise forms.ValidationError(NO_TEAM["invalid_pk_value"], code="invalid_pk_value") from None
            raise


class TeamsFilter(django_filters.ModelMultipleChoiceFilter):
    field_class = Teams


def check_text(value: str) -> None:
    ProhibitNullCharactersValidator()(value)
    MaxLengthValidator(255)(value)


def check_day(day: date) -> None:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise forms.ValidationError(f"Give a day between {FIRST_DAY} and {LAST_DAY}.")


def day_field(label: str) -> django_filters.DateFilter:
    widget = forms.DateInput(
        attrs={"type": "date", "min": str(FIRST_DAY), "max": str(LAST_DAY)}, format="%Y-%m-%d"
    )
    return django_filters.DateFilter(
        label=label, method="leave", widget=widget, input_formats=["%Y-%m-%d"], validators=[check_day]
    )


class ScopeFilter(django_filters.FilterSet):
    """The form of every page. `scope` is what it asks for; `qs` are the jobs within it."""

    base_filters: dict[str, Any]  # the following, by their names

    preset = django_filters.ChoiceFilter(
        label="Range", method="leave", choices=[*PRESETS.items(), ("", "Free dates")], empty_label=None
    )
    start = day_field("From")
    end = day_field("To")
    provider = AnyOfFilter(label="Provider", method="leave")
    gpu_type = AnyOfFilter(label="GPU type", method="leave")
    team = TeamsFilter(label="Team", method="leave", queryset=Team.objects.all(), error_messages=NO_TEAM)
    status = AnyOfFilter(label="Status", method="leave", choices=[(s, s) for s in KNOWN_STATUSES])
    model = AnyOfFilter(label="Model", method="leave")
    q = django_filters.CharFilter(label="Search", method="leave", max_length=200)
    bucket = django_filters.ChoiceFilter(
        label="Per", method="leave", choices=[("", "as fits"), *((b, b) for b in BUCKETS)], empty_label=None
    )
    group_by = django_filters.ChoiceFilter(
        label="Grouped by", method="leave", choices=list(GROUPS.items()), empty_label=None
    )
    basis = django_filters.ChoiceFilter(
        label="Basis", method="leave", choices=list(BASES.items()), empty_label=None
    )
    by = django_filters.ChoiceFilter(
        label="Rows by", method="leave", choices=list(SHARED_BY.items()), empty_label=None
    )
    then_by = django_filters.ChoiceFilter(
        label="and by", method="leave", choices=[("", "nothing more"), *SHARED_BY.items()], empty_label=None
    )
    idle = django_filters.ChoiceFilter(
        label="Idle cost", method="leave", choices=list(IDLE_VIEWS.items()), empty_label=None
    )
    compare = django_filters.ChoiceFilter(
        label="Compared with", method="leave", choices=list(AGAINST.items()), empty_label=None
    )

    quality = AnyOfFilter(label="Check", method="leave")

    class Meta:
        model = Job
        fields: list[str] = []

    def __init__(
        self,
        data: QueryDict,
        *,
        uses: Iterable[str],
        names: Names,
        freshness: Freshness,
        preset: str,
        jobs_through: date | None = None,
        fixed: Span | None = None,
        bucket: str = "",
        own_teams: frozenset[UUID] | None = None,
    ) -> None:
        """fixed: the range where the page sets it itself and asks for none. bucket: what it is drawn per.

        own_teams: those that the reader is limited to. How idle cost is spread would tell what others left.
        """
        self.names, self.freshness = names, freshness
        self.default_preset, self.default_bucket = preset, bucket
        self.jobs_through, self.fixed = jobs_through, fixed
        self.own_teams = own_teams
        uses = {*([] if fixed else ["preset", "start", "end"]), *uses}
        uses -= {"idle"} if own_teams is not None else set()
        self.base_filters = {}  # which would be copied for each page
        super().__init__(data, queryset=Job.objects.all())
        known = type(self).base_filters
        self.filters = {name: one for name, one in known.items() if name in uses}
        self.unused = [
            one for name, one in known.items() if name not in uses and data.getlist(name) not in ([], [""])
        ]
        self.offered: dict[str, Offered] = {}
        if "provider" in uses:
            self.offer("provider", pairs(names.provider_choices()))
        if "gpu_type" in uses:
            self.offer("gpu_type", pairs(names.gpu_choices()))
        if "quality" in uses:
            self.offer("quality", [(one.key, one.title) for one in ODDITIES])
        if "model" in uses:
            self.offer("model", pairs(models_of(own_teams)))
        if "team" in uses:
            self.offer("team", teams_offered(own_teams))

    def offer(self, name: str, choices: Iterable[tuple[str, str]]) -> None:
        """What a filter offers, said before the form is looked at.

        The finished form is given it: on its way there it would be copied twice, choice by choice.
        """
        self.offered[name] = Offered(choices)

    def filter_queryset(self, queryset: Any) -> Any:
        clocks = self.names.spellings_by_clock()
        return jobs_of(self.scope, self.names).within(self.scope.span, clocks)

    def leave(self, queryset: Any, name: str, value: Any) -> Any:
        return queryset

    def get_form_class(self) -> type[forms.Form]:
        return form_of(tuple(self.filters))

    @cached_property
    def form(self) -> forms.Form:
        form = super().form
        form.initial = self.defaults()
        form.data = self.data_with_defaults()
        if "team" in form.fields and self.own_teams is not None:
            form.fields["team"].queryset = Team.objects.filter(pk__in=self.own_teams)
        for name, choices in self.offered.items():
            form.fields[name].widget.choices = choices
        for name, field in form.fields.items():
            field.help_text = ""
            field.required = False
            if name in ("group_by", "basis", "by", "idle", "compare"):
                field.choices = [choice for choice in field.choices if choice[0]]
        form.is_valid()
        self.check_order(form)
        return form

    def defaults(self) -> dict[str, str]:
        return {
            "preset": self.default_preset,
            "bucket": self.default_bucket,
            "group_by": "provider",
            "basis": settings.HELIOX_COST_BASIS,
            "by": "team",
            "idle": "apart",
            "compare": "previous",
        }

    def data_with_defaults(self) -> QueryDict:
        data = self.data.copy()
        for name, value in self.defaults().items():
            if not data.get(name):
                data[name] = value
        if data.get("start") or data.get("end"):
            data["preset"] = ""
        return data

    def check_order(self, form: forms.Form) -> None:
        start, end = form.cleaned_data.get("start"), form.cleaned_data.get("end")
        if start and end and end < start:
            form.add_error("end", f"This day lies before {start}, the first of the range.")

    @cached_property
    def cleaned(self) -> dict[str, Any]:
        """What was understood; a field with an error counts as not given."""
        form = self.form
        return {name: value for name, value in form.cleaned_data.items() if value not in (None, "", [])}

    @property
    def preset_in_force(self) -> str:
        """The preset in force; empty where free dates are given."""
        if self.cleaned.get("start") or self.cleaned.get("end"):
            return ""
        return self.cleaned.get("preset") or self.default_preset

    @cached_property
    def scope(self) -> Scope:
        got = self.cleaned
        return Scope(
            span=self.span(),
            providers=tuple(got.get("provider", ())),
            gpu_types=tuple(got.get("gpu_type", ())),
            teams=self.chosen_teams or tuple(sorted(self.own_teams or ())),
            statuses=tuple(got.get("status", ())),
            models=tuple(got.get("model", ())),
            q=" ".join(got.get("q", "").split()),
            bucket=got.get("bucket", "day"),
            group_by=got.get("group_by", "provider"),
            basis=got.get("basis", settings.HELIOX_COST_BASIS),
            idle=got.get("idle", "apart"),
            by=got.get("by", "team"),
            then_by=got.get("then_by", ""),
            compare=got.get("compare", "previous"),
            quality=tuple(got.get("quality", ())),
        )

    @property
    def chosen_teams(self) -> tuple[UUID, ...]:
        """What links say: who is limited to teams sees these alone anyway, and they may be hundreds."""
        return tuple(team.pk for team in self.cleaned.get("team", ()))

    def span(self) -> Span | None:
        if self.fixed:
            return self.fixed
        start: date | None = self.cleaned.get("start")
        end: date | None = self.cleaned.get("end")
        if start is None and end is None:
            through = self.freshness.through(tuple(self.cleaned.get("provider", ())))
            if through and self.jobs_through:
                through = max(through, self.jobs_through)
            return preset_span(self.preset_in_force, today(), through, settings.HELIOX_FISCAL_MONTH)
        known = self.freshness.span()
        begin, until = (known.start, known.last) if known else (date.max, date.min)
        first = start if start is not None else min(end or date.max, begin)
        last = end if end is not None else max(first, until)
        return Span.inclusive(first, last)

    @cached_property
    def in_words(self) -> list[dict[str, Any]]:
        """The active filters, each with the URL query that takes it off again."""
        found = []
        for name, field in self.form.fields.items():
            if name in HOW_SHOWN or not self.cleaned.get(name):
                continue
            values = self.cleaned[name]
            titles = dict(field.widget.choices) if name == "quality" else {}
            for value in values if name != "q" else [values]:
                raw = str(value.pk) if isinstance(value, Team) else str(value)
                text = f"{field.label}: {titles.get(value, value)}"
                found.append({"text": text, "remove_url": "?" + self.without(name, raw)})
        return found

    def shown_in_words(self, scope: Scope) -> list[str]:
        """How a scope is shown, as far as the page lets one choose: `Rows by: model`, `Idle cost: apart`."""
        fields: dict[str, Any] = self.form.fields
        chosen = [(fields[name], getattr(scope, name)) for name in VIEWED if name in fields]
        return [f"{field.label}: {dict(field.choices)[value]}" for field, value in chosen if value]

    def without(self, name: str, value: str) -> str:
        data = self.data.copy()
        data.setlist(name, [kept for kept in data.getlist(name) if kept.strip() != value])
        return data.urlencode()

    def not_applied(self) -> list[str]:
        return [f"{one.label} does not apply here" for one in self.unused]

    @property
    def span_in_words(self) -> str:
        label = "" if self.fixed else PRESETS.get(self.preset_in_force, "")
        words = in_words(self.scope.span)
        if label and self.preset_in_force in LAST_DAYS:
            label += " (closed)"
        return f"{label}: {words}" if label and self.scope.span else words


@cache
def form_of(filters: tuple[str, ...]) -> type[forms.Form]:
    """Pages use the same few; each form has copies of the fields."""
    fields = {name: ScopeFilter.base_filters[name].field for name in filters}
    return type("ScopeForm", (forms.Form,), fields)


def models_of(teams: frozenset[UUID] | None) -> list[str]:
    """The first names; of these teams alone, or of all."""
    asked = ("models offered", teams and sorted(teams))
    return until_written(asked, lambda: model_names.first(MOST_MODELS, teams))


def teams_offered(own: frozenset[UUID] | None) -> list[tuple[str, str]]:
    """All of them, or those that the reader is limited to."""
    teams = Team.objects.all() if own is None else Team.objects.filter(pk__in=own)
    asked = ("teams offered", own and sorted(own))
    return until_written(asked, lambda: [(str(pk), name) for pk, name in teams.values_list("pk", "name")])


def pairs(values: Iterable[str]) -> list[tuple[str, str]]:
    return [(value, value) for value in values]


def query(**parameters: Any) -> str:
    """A query string; empty values are left out, tuples repeat their key."""
    given: list[str] = []
    for key, value in parameters.items():
        if isinstance(value, SEVERAL):
            given += [encoded(key, str(one)) for one in value]
        elif value is not None and value != "":
            given.append(encoded(key, str(value)))
    return "?" + "&".join(given)


@lru_cache(maxsize=5_000)
def encoded(key: str, value: str) -> str:
    """Charts link each of their bars, by the same few names and days."""
    return urlencode({key: value})
