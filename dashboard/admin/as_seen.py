"""A form that was open while its row changed does not write over what nobody looked at."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.forms import ModelForm, model_to_dict

from ..remembered import digest
from . import history

AS_SEEN = "as_seen"  # sent along with the form


class OfOneRow:
    """Of a ModelForm of a row that exists. What comes without the mark, from a script, is believed."""

    as_stored: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.as_stored = mark(self.instance, self.base_fields)  # type: ignore[attr-defined]

    def clean(self) -> Any:
        cleaned = super().clean()  # type: ignore[misc]
        if self.data.get(AS_SEEN, self.as_stored) != self.as_stored:  # type: ignore[attr-defined]
            raise ValidationError(changed_meanwhile(self))  # type: ignore[arg-type]
        return cleaned


def mark(row: Model, fields: Any) -> str:
    """What the row says in these fields, in short."""
    said = model_to_dict(row, fields=list(fields))
    return digest(*((name, plain(said[name])) for name in sorted(said))).hex()


def plain(value: Any) -> str:
    return repr(sorted(str(row.pk) for row in value)) if isinstance(value, list) else str(value)


def changed_meanwhile(form: ModelForm) -> str:
    """With what the row says now where the form says something else."""
    said = "; ".join(history.now_stored(form, name) for name in form.changed_data)
    return (
        f"Somebody else or an import has changed this row while it was open here, so nothing is saved. "
        f"It says now: {said or 'what you see'}. Save once more to write over it, or open the page anew."
    )
