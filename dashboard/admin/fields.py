"""Form fields that suggest what is known and refuse what no bill or log can mean."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from .base import YEARS
from .filters import names_of

AMOUNT = re.compile(r"(?P<sign>-?)\$? ?(?P<dollars>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.(?P<cents>[0-9]+))?")
LIKE = "Write the amount in dollars, like 1,234.56."
WHOLE_CENTS = "Give whole cents: at most two digits after the point."


class Suggest(AdminTextInputWidget):
    """A text field with a list of suggestions; what is not among them can be typed."""

    suggestions: Iterable[str] = ()

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        list_id = f"{(attrs or {}).get('id', name)}_list"
        box = super().render(name, value, (attrs or {}) | {"list": list_id}, renderer)
        options = format_html_join("", '<option value="{}">', ((each,) for each in self.suggestions))
        return format_html('{}<datalist id="{}">{}</datalist>', box, list_id, options)


def suggest(form: type[forms.ModelForm], **suggestions: Iterable[str]) -> type[forms.ModelForm]:
    """Gives those of the fields that the form has their suggestions."""
    for name, known in suggestions.items():
        if name in form.base_fields:
            widget = Suggest(form.base_fields[name].widget.attrs)
            widget.suggestions = known
            form.base_fields[name].widget = widget
    return form


class KnownNames:
    """Of an admin: its form suggests the providers and GPU types that are known, where it asks for them."""

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> type[forms.ModelForm]:
        form = super().get_form(request, *args, **kwargs)  # type: ignore[misc]
        names = names_of(request)
        return suggest(form, provider=names.provider_choices(), gpu_type=names.gpu_choices())


def one_line(name: str) -> str:
    """The name without blanks around or doubled within it."""
    if any(not char.isprintable() and not char.isspace() for char in name):
        raise ValidationError("Leave out control characters and marks of text direction.")
    return " ".join(name.split())


def short(number: Decimal) -> Decimal:
    """Without noughts at its end, and still a number: a text would differ from whatever is typed."""
    return Decimal(f"{number.normalize():f}")


def check_year(moment: datetime | None) -> None:
    if moment and moment.year not in YEARS:
        raise ValidationError(f"Give a time from {YEARS[0]} to {YEARS[-1]}.")


class Dollars(forms.Field):
    """`1,234.56`, `1234.56`, `$1,234.5` or `−25`; no other way of writing, so that none is misread."""

    widget = forms.TextInput

    def __init__(self, *, max_digits: int = 14, decimal_places: int = 2, **options: Any) -> None:
        self.digits, self.places = max_digits - decimal_places, decimal_places
        super().__init__(**options)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {"inputmode": "decimal", "autocomplete": "off"}

    def to_python(self, value: Any) -> Decimal | None:
        if isinstance(value, Decimal):
            return value
        text = str(value or "").replace("\N{MINUS SIGN}", "-").strip().removesuffix("USD").strip()
        if not text:
            return None
        found = AMOUNT.fullmatch(text.replace("$-", "-$"))
        if not found:
            raise ValidationError(LIKE)
        if len(found["cents"] or "") > self.places:
            few = f"Give at most {self.places} digits after the point."
            raise ValidationError(WHOLE_CENTS if self.places == 2 else few)
        dollars = found["dollars"].replace(",", "")
        if len(dollars) > self.digits:
            raise ValidationError(f"That is too much: at most {self.digits} digits before the point.")
        return Decimal(f"{found['sign']}{dollars}.{found['cents'] or 0}")
