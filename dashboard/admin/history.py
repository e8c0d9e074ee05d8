"""The history in words: what each field was and what it became, of rows that come and go too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import CASCADE, Model, prefetch_related_objects
from django.forms import ModelChoiceField, ModelForm, ModelMultipleChoiceField
from django.utils import timezone

from .. import audit
from ..counted import counted

LONGEST_VALUE = 300  # of a long text no more is told, or it would hide what comes after it
SECRET = {"password"}


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


def added(row: Model) -> str:
    """`provider: none → AWS; cost in USD: none → 310`. What is none, or no, is left out."""
    return "; ".join(f"{name}: none → {words}" for name, words in held(row))


def removed(row: Model) -> str:
    """`provider: AWS → none; cost in USD: 310 → none`."""
    return "; ".join(f"{name}: {words} → none" for name, words in held(row))


def held(row: Model) -> Iterable[tuple[str, str]]:
    for field in fields_told(type(row)):
        value = field.value_from_object(row) if not field.is_relation else getattr(row, field.name)
        words = in_words(value.all() if field.many_to_many else value)
        if words != "none" and value is not False:
            yield within(str(field.verbose_name)), words


def fields_told(model: type[Model]) -> list[Any]:
    """What people type in; nothing secret."""
    fields: list[Any] = [*model._meta.fields, *model._meta.many_to_many]
    return [one for one in fields if one.editable and not one.primary_key and one.name not in SECRET]


def goes_along(model: type[Model], rows: Sequence[Model]) -> Iterable[str]:
    """`with it: 1 team limit`, and what loses its tie to the rows: `taken from: 3 users`."""
    numbers: dict[str, list[str]] = {"with it" if len(rows) == 1 else "with them": [], "taken from": []}
    goes, loses = numbers
    for tie in model._meta.related_objects:
        if tie.many_to_many or getattr(tie, "on_delete", None) is CASCADE:
            kind = tie.related_model._meta
            number = (
                tie.related_model._base_manager.filter(**{f"{tie.field.name}__in": rows}).distinct().count()
            )
            words = counted(number, str(kind.verbose_name), str(kind.verbose_name_plural))
            numbers[loses if tie.many_to_many else goes] += [words] if number else []
    return (f"{what}: {', '.join(words)}" for what, words in numbers.items() if words)


def in_words(value: Any) -> str:
    words = whole(value)
    return words if len(words) <= LONGEST_VALUE else words[: LONGEST_VALUE - 1] + "…"


def whole(value: Any) -> str:
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


def log_deletions(request: Any, rows: Iterable[Model], adding_up: Sequence[str] = ()) -> list[LogEntry]:
    """Before they go: what each held. adding_up: fields whose sum is told of several rows."""
    rows = list(rows)
    if not rows:
        return []
    model = type(rows[0])
    prefetch_related_objects(rows, *(one.name for one in fields_told(model) if one.is_relation))
    along = list(goes_along(model, rows))
    if len(rows) == 1:
        message = "; ".join([removed(rows[0]), *along])
        return LogEntry.objects.log_actions(request.user.pk, rows, DELETION, message)
    kind = ContentType.objects.get_for_model(model)
    entries = LogEntry.objects.bulk_create(
        LogEntry(
            user_id=request.user.pk,
            content_type=kind,
            object_id=row.pk,
            object_repr=str(row)[:200],
            action_flag=DELETION,
            change_message=removed(row),
        )
        for row in rows
    )
    audit.edited_several(entries, "; ".join([*sums(model, rows, adding_up), *along]))
    return entries


def sums(model: type[Model], rows: Sequence[Model], adding_up: Sequence[str]) -> Iterable[str]:
    """`cost in USD: 6.75 → none`, of all rows."""
    for name in adding_up:
        told = [value for row in rows if (value := getattr(row, name)) is not None]
        label = within(str(model._meta.get_field(name).verbose_name))  # type: ignore[union-attr]
        if told:
            yield f"{label}: {in_words(sum(told))} → none"
