"""Forms of the admin: what a job, a snapshot and a change of many jobs must say to be believed."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from ..clock import now
from ..filters import check_day
from ..models import CostSnapshot, Job, UsageSnapshot
from ..models.entities import KNOWN_STATUSES
from ..naming import Names
from .base import DateAndTime
from .fields import Dollars, check_year, one_line, short

CELL = {"date", "provider", "gpu_type"}
FINISHED = ("completed", "failed", "cancelled")
TIMES = ("submit_time", "start_time", "end_time")


class OneLineForm(forms.ModelForm):
    """Names and notes, as one line each: what files bring in has no line breaks either."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        texts = [name for name, field in self.fields.items() if type(field) is forms.CharField]
        for name in cleaned.keys() & texts:
            try:
                cleaned[name] = one_line(cleaned[name] or "")
            except ValidationError as error:
                self.add_error(name, error)
        return cleaned


class JobForm(OneLineForm):
    class Meta:
        model = Job
        fields = (
            "team",
            "model_name",
            "status",
            "provider",
            "gpu_type",
            "gpu_count",
            "submit_time",
            "start_time",
            "end_time",
            "team_set_by_hand",
        )
        error_messages = {"gpu_count": {"min_value": "A job holds more than 0 GPUs."}}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.gpu_count:
            self.initial["gpu_count"] = short(self.instance.gpu_count)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        self.spell_status(cleaned)
        for name in TIMES:
            self.check_time(cleaned, name)
        if {"status", "start_time", "end_time"} & set(self.changed_data):
            self.check_end(cleaned)
        return cleaned

    def spell_status(self, cleaned: dict[str, Any]) -> None:
        """Known statuses in small letters; another one as it was typed."""
        status = cleaned.get("status", "").casefold()
        if status in KNOWN_STATUSES:
            cleaned["status"] = status

    def check_time(self, cleaned: dict[str, Any], name: str) -> None:
        if name not in cleaned:
            return
        if name not in self.changed_data:
            # The form shows whole seconds: what nobody touched keeps its fraction.
            cleaned[name] = getattr(self.instance, name)
            return
        try:
            check_year(cleaned[name])
        except ValidationError as error:
            self.add_error(name, error)

    def check_end(self, cleaned: dict[str, Any]) -> None:
        status, start, end = (cleaned.get(name) for name in ("status", "start_time", "end_time"))
        if status in FINISHED and start and not end and "end_time" not in self.errors:
            self.add_error("end_time", f"A {status} job that has started needs the time of its end.")
        if status in ("pending", "running") and end:
            self.add_error("end_time", f"A {status} job has not ended: leave this empty.")


class SnapshotForm(OneLineForm):
    """One amount of one day, provider and GPU type, under whatever spelling: a second one would count too."""

    amount = ""

    def clean_date(self) -> date:
        check_day(self.cleaned_data["date"])
        return self.cleaned_data["date"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        moved = CELL & set(self.changed_data)
        if moved and cleaned.keys() >= CELL and (other := self.under_another_spelling(cleaned)):
            words = f"The row of {other.provider} {other.gpu_type} is of the same day, provider and GPU type"
            instead = "It is a sum of bill lines" if other.from_lines else "Change that one"
            amount = f"{getattr(other, self.amount):,}"
            self.add_error(None, f"{words}: {amount}. Both would count. {instead}.")
        return cleaned

    def under_another_spelling(self, cleaned: dict[str, Any]) -> Any:
        names = Names.load()
        cell = cleaned["provider"], cleaned["gpu_type"]
        shown = names.hardware(cell)
        others = self._meta.model.objects.filter(date=cleaned["date"]).exclude(pk=self.instance.pk)
        return next(
            (
                one
                for one in others
                if (one.provider, one.gpu_type) != cell
                and names.hardware((one.provider, one.gpu_type)) == shown
            ),
            None,
        )


class CostForm(SnapshotForm):
    amount = "cost_usd"

    class Meta:
        model = CostSnapshot
        fields = ("date", "provider", "gpu_type", "cost_usd")
        field_classes = {"cost_usd": Dollars}


class UsageForm(SnapshotForm):
    amount = "gpu_hours"

    class Meta:
        model = UsageSnapshot
        fields = ("date", "provider", "gpu_type", "gpu_hours")
        error_messages = {"gpu_hours": {"min_value": "Metered hours are never negative."}}


class StatusForm(forms.Form):
    """The new status of many jobs, and the end of those that need one."""

    status = forms.ChoiceField(choices=[("", "Choose…"), *((s, s) for s in KNOWN_STATUSES)])
    end_time = forms.SplitDateTimeField(required=False, widget=DateAndTime, label="End")

    def __init__(self, *args: Any, jobs: Any, **kwargs: Any) -> None:
        self.jobs = jobs
        super().__init__(*args, **kwargs)

    def without_end(self) -> Any:
        return self.jobs.filter(start_time__isnull=False, end_time=None)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        end = cleaned.get("end_time")
        if end and cleaned.get("status") in FINISHED:
            later = self.without_end().filter(start_time__gt=end).count()
            if later:
                self.add_error("end_time", f"{later:,} of these jobs start after that.")
            elif end > now():
                self.add_error("end_time", "That is in the future.")
        return cleaned
