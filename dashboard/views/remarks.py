"""Notes on days, left, changed and deleted; anomalies, dismissed with a reason and taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from ..access import User, may_add, may_change
from ..admin import history
from ..admin.fields import one_line
from ..admin.meanwhile import take_turn
from ..filters import check_day
from ..models import DayNote, DismissedAnomaly
from ..naming import Names
from ..periods import day_in_words
from .asked import Asked

Key = tuple[date, str, str]
MEANWHILE = "It is there no more: somebody else took it away meanwhile."


def may_dismiss(user: User) -> bool:
    return may_add(user, DismissedAnomaly)


def may_note(user: User) -> bool:
    return may_add(user, DayNote)


def may_edit(user: User, note: DayNote) -> bool:
    """The author, and who has a part in the administration."""
    own = note.author_id is not None and note.author_id == user.pk
    return may_change(user, "daynote") and (own or user.is_staff)


def anchor(*key: Any) -> str:
    return f"day-{sha256(repr(key).encode()).hexdigest()[:10]}"


def day_field() -> forms.DateField:
    return forms.DateField(
        label="Day",
        input_formats=["%Y-%m-%d"],
        validators=[check_day],
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Write the day like 2026-03-01."},
    )


class NoteForm(forms.ModelForm):
    day = day_field()

    class Meta:
        model = DayNote
        fields = ("day", "provider", "gpu_type", "text")
        labels = {"text": "Note", "provider": "Provider, or all", "gpu_type": "GPU type, or all"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("provider", "gpu_type"):
            self.fields[name].widget.attrs["list"] = f"noted-{name}"

    def clean_provider(self) -> str:
        return one_line(self.cleaned_data["provider"])

    def clean_gpu_type(self) -> str:
        return one_line(self.cleaned_data["gpu_type"])

    def clean_text(self) -> str:
        return one_line(self.cleaned_data["text"])


class DismissForm(forms.ModelForm):
    day = day_field()

    class Meta:
        model = DismissedAnomaly
        fields = ("day", "provider", "gpu_type", "reason")
        labels = {"reason": "Reason"}
        widgets = {name: forms.HiddenInput for name in ("provider", "gpu_type")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["day"].widget = forms.HiddenInput()

    def clean_reason(self) -> str:
        reason = one_line(self.cleaned_data["reason"])
        if not reason:
            raise ValidationError("Say why.")
        return reason

    @property
    def key(self) -> Key | None:
        got = self.cleaned_data if self.is_bound and self.is_valid() else {}
        return (got["day"], got["provider"], got["gpu_type"]) if got else None


@dataclass(frozen=True)
class Answer:
    """What was sent, as it is to be mended, or saved; place: where on the page it was."""

    form: Any = None
    saved: bool = False
    place: str = "notes"
    note: UUID | None = None


Do = Callable[[HttpRequest, Names], Answer]


def answer(request: HttpRequest, names: Names, may_do: dict[str, Do] | None = None) -> Answer:
    """may_do: the forms that the page has; all of them unless it says so."""
    action = (NOTES | DISMISSALS if may_do is None else may_do).get(request.POST.get("do", ""))
    if action is None:
        messages.error(request, "Nothing was done: the form did not say what to do. Send it again.")
        return Answer(saved=True, place="main")
    with transaction.atomic():
        return action(request, names)


# Notes


def leave_note(request: HttpRequest, names: Names) -> Answer:
    pk = key_of(request)
    note = stored_note(request, pk) if pk else new_note(request)
    if note is None:
        return Answer(saved=True)
    form = NoteForm(request.POST, instance=note, auto_id=f"{pk or 'new'}-%s")
    if not form.is_valid():
        return Answer(form, note=pk)
    if pk or not sent_before(form.instance):
        kept = form.save()
        words = history.changes(form) if pk else kept.text
        history.log(request, {words: [kept]}, CHANGE if pk else ADDITION)
    messages.success(request, f"Your note on {day_in_words(form.instance.day)} is kept.")
    return Answer(saved=True)


def sent_before(note: DayNote) -> bool:
    """Whether its author has said the same of the same day: a button that is pressed twice sends twice."""
    take_turn(DayNote._meta.db_table)
    says = ("day", "provider", "gpu_type", "text", "author_id")
    return DayNote.objects.filter(**{name: getattr(note, name) for name in says}).exists()


def new_note(request: HttpRequest) -> DayNote:
    if not may_note(request.user):
        raise PermissionDenied("Your role may read notes but not leave any.")
    return DayNote(author_id=request.user.pk)


def delete_note(request: HttpRequest, names: Names) -> Answer:
    note = stored_note(request, key_of(request))
    if note:
        history.log(request, {note.text: [note]}, DELETION)
        was = f"{day_in_words(note.day)}: “{note.text}”"
        messages.warning(request, f"Deleted from {was}. Leave it again to have it back.")
        note.delete()
    return Answer(saved=True)


def stored_note(request: HttpRequest, pk: UUID | None) -> DayNote | None:
    note = DayNote.objects.select_for_update().filter(pk__in=[pk] if pk else []).first()
    if note is None:
        messages.error(request, MEANWHILE)
    elif not may_edit(request.user, note):
        raise PermissionDenied("A note is changed by who wrote it, or by an administrator.")
    return note


def key_of(request: HttpRequest) -> UUID | None:
    try:
        return UUID(request.POST.get("id", ""))
    except ValueError:
        return None


# Dismissing


def dismiss(request: HttpRequest, names: Names) -> Answer:
    if not may_dismiss(request.user):
        raise PermissionDenied("Your role may look at anomalies but not dismiss them.")
    form = DismissForm(request.POST, instance=DismissedAnomaly(author_id=request.user.pk))
    if not form.is_valid():
        return Answer(form, place=place_of(request))
    try:
        with transaction.atomic():
            kept = form.save()
    except IntegrityError:  # two dismissed it at the same moment
        messages.info(request, "Somebody dismissed it meanwhile.")
        return Answer(saved=True, place="dismissed")
    history.log(request, {kept.reason: [kept]}, ADDITION)
    messages.success(request, f"{called(kept)} is dismissed. It can be taken back under Dismissed.")
    return Answer(saved=True, place="dismissed")


def take_back(request: HttpRequest, names: Names) -> Answer:
    if not may_dismiss(request.user):
        raise PermissionDenied("Your role may look at anomalies but not take back that one is dismissed.")
    pk = key_of(request)
    one = DismissedAnomaly.objects.select_for_update().filter(pk__in=[pk] if pk else []).first()
    if one is None:
        messages.error(request, MEANWHILE)
        return Answer(saved=True, place="main")
    history.log(request, {one.reason: [one]}, DELETION)
    messages.success(request, f"{called(one)} counts again. The reason was “{one.reason}”.")
    place = anchor(one.day, names.provider(one.provider), names.gpu_type(one.gpu_type))
    one.delete()
    return Answer(saved=True, place=place)


def called(one: DismissedAnomaly) -> str:
    return f"{one.provider} {one.gpu_type} on {day_in_words(one.day)}"


def place_of(request: HttpRequest) -> str:
    return request.POST.get("place", "main")[:40]


def dismissal(request: HttpRequest, key: Key, sent: Answer | None) -> Any:
    """As it was sent where something in it is to be mended."""
    if not may_dismiss(request.user):
        return None
    name = anchor(*key)
    if sent and isinstance(sent.form, DismissForm) and sent.place == name:
        sent.form.auto_id = f"{name}-%s"
        return sent.form
    day, provider, gpu_type = key
    return DismissForm(initial={"day": day, "provider": provider, "gpu_type": gpu_type}, auto_id=f"{name}-%s")


# On pages


NOTES: dict[str, Do] = {"note": leave_note, "delete_note": delete_note}
DISMISSALS: dict[str, Do] = {"dismiss": dismiss, "take_back": take_back}


def back(request: HttpRequest, sent: Answer) -> str:
    return f"{request.get_full_path()}#{sent.place}"


def panel(asked: Asked, found: list[DayNote], sent: Answer | None) -> dict[str, Any]:
    """The notes of the range, and the form for another one, as it was sent where it is to be mended."""
    user = asked.request.user
    wrong = sent.form if sent and isinstance(sent.form, NoteForm) else None
    return {
        "notes": asked.listed(found, lambda note: noted(user, note, wrong, sent), "notes-"),
        "new_note": (wrong if wrong and sent and not sent.note else empty_note(asked))
        if may_note(user)
        else None,
        "note_open": bool(wrong and sent and not sent.note),
        "noted_names": {
            "provider": asked.names.provider_choices(),
            "gpu_type": asked.names.gpu_choices(),
        },
    }


def noted(user: User, note: DayNote, wrong: Any, sent: Answer | None) -> dict[str, Any]:
    mine = bool(wrong and sent and sent.note == note.pk)
    form = wrong if mine else NoteForm(instance=note, auto_id=f"{note.pk}-%s")
    return {"note": note, "form": form if may_edit(user, note) else None, "open": mine}


def empty_note(asked: Asked) -> NoteForm:
    """For the day that the page is about, and the one provider and GPU type where it shows one."""
    scope = asked.scope
    only = {
        "provider": scope.providers[0] if len(scope.providers) == 1 else "",
        "gpu_type": scope.gpu_types[0] if len(scope.gpu_types) == 1 else "",
    }
    return NoteForm(initial={"day": scope.span.last if scope.span else None, **only}, auto_id="new-%s")
