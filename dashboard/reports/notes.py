"""Notes that people left on days, and which of them a page's figures are about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from ..models import DayNote
from ..naming import Names
from ..scope import Scope


def of_scope(scope: Scope, names: Names) -> list[DayNote]:
    """Oldest first. One without a provider or GPU type is about all of them."""
    asked = "notes", scope.span, scope.providers, scope.gpu_types
    return names.once(asked, lambda: read(scope, names))


def read(scope: Scope, names: Names) -> list[DayNote]:
    rows = DayNote.objects.within(scope.span).select_related("author").order_by("day", "created_at", "pk")
    return [one for one in rows if is_about(one, scope, names)]


def is_about(note: DayNote, scope: Scope, names: Names) -> bool:
    providers = {names.provider(name) for name in scope.providers}
    gpu_types = {names.gpu_type(name) for name in scope.gpu_types}
    fits = not note.provider or not providers or names.provider(note.provider) in providers
    return fits and (not note.gpu_type or not gpu_types or names.gpu_type(note.gpu_type) in gpu_types)


def told(note: DayNote) -> str:
    """As charts say it: of which hardware, and the text."""
    about = " ".join(filter(None, [note.provider, note.gpu_type]))
    return f"{about}: {note.text}" if about else note.text


def marks(found: Iterable[DayNote]) -> list[tuple[date, str]]:
    return [(note.day, told(note)) for note in found]
