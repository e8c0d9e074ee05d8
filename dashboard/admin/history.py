"""The history in words: what each field was and what it became."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import Model
from django.forms import ModelChoiceField, ModelForm, ModelMultipleChoiceField
from django.utils import timezone

from .. import audit


def changes(form: ModelForm) -> str:
    """`status: running → completed; end time: none → 2026-05-31 14:00:00`."""
    return "; ".join(change(form, name) for name in form.changed_data)


def change(form: ModelForm, name: str) -> str:
    return f"{now_stored(form, name)} → {in_words(form.cleaned_data.get(name))}"


def now_stored(form: ModelForm, name: str) -> str:
    """`status: running`."""
    field = form.fields[name]
    return f"{within(str(field.label or name))}: {in_words(stored(field, form.initial.get(name)))}"


def within(label: str) -> str:
    """As it is written within a sentence: "GPUs" and "USD" stay."""
    return label if label[:2].isupper() else f"{label[:1].lower()}{label[1:]}"


def stored(field: Any, initial: Any) -> Any:
    """A form knows the old row of a foreign key by its key only."""
    is_one_row = isinstance(field, ModelChoiceField) and not isinstance(field, ModelMultipleChoiceField)
    return field.queryset.filter(pk=initial).first() if is_one_row and initial else initial


def in_words(value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{timezone.localtime(value):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, Iterable) and not isinstance(value, str | Model):
        return ", ".join(sorted(map(str, value))) or "none"
    return str(value)


def log(request: Any, rows_by_message: Mapping[str, Iterable[Model]], action: int = CHANGE) -> None:
    """One entry for each row, in one statement for each message; of several rows, one event of the audit."""
    for message, rows in rows_by_message.items():
        audit.edited_several(LogEntry.objects.log_actions(request.user.pk, list(rows), action, message))
