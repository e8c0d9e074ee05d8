"""What bills to come are expected to ask for, as the form of a close shows it and brings it back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from django.core.exceptions import ValidationError
from django.http import QueryDict

from ..admin.fields import Dollars
from ..closing import Refused, changed_meanwhile
from ..money import cents, usd
from ..remembered import digest
from ..reports.closing import Expected

FIELD, WAS = "usd-", "was-"


def fields(form: QueryDict, proposals: Iterable[Expected]) -> list[dict[str, Any]]:
    """One for each proposal, with what was typed in before. form: as it was sent, or an empty one."""
    return [
        {"one": one, "usd": usd(one.cents), "name": name, "typed": what_was_typed(form, name, one)}
        for one in proposals
        for name in [field_of(one)]
    ]


def typed_in(form: QueryDict, month: date, proposals: Iterable[Expected]) -> list[Expected]:
    """The proposals with the amounts that the form brings; raises Refused, also where it had others."""
    asked_for = {field_of(one): one for one in proposals}
    if form.get("proposed", "") != seen_of(asked_for.values()):
        raise changed_meanwhile(month)
    found = []
    for name, one in asked_for.items():
        amount = amount_of(form.get(name, ""), one)
        changed = cents(amount) != one.cents
        reason = f"typed in; {one.reason}" if changed else one.reason
        found.append(Expected(one.provider, one.gpu_type, cents(amount), reason))
    return found


def amount_of(typed: str, one: Expected) -> Decimal:
    try:
        return Dollars(required=False).clean(typed) or Decimal("0.00")
    except ValidationError:
        words = f"{one.provider} {one.gpu_type}: “{typed[:20]}” is no amount in dollars and cents."
        raise Refused(words) from None


def what_was_typed(form: QueryDict, name: str, one: Expected) -> str:
    """The proposal, unless somebody had put something else in the place of the one that was there."""
    typed = form.get(name)
    return f"{usd(one.cents)}" if typed is None or typed == form.get(WAS + name) else typed


def seen_of(proposals: Iterable[Expected]) -> str:
    """Another text for other proposals."""
    return digest(*((one.hardware, one.cents, one.reason) for one in proposals)).hex()


def field_of(one: Expected) -> str:
    """The name of its field: of what it is, since by its place it would be another's when a bill comes."""
    return f"{FIELD}{quote(one.provider, safe='')}/{quote(one.gpu_type, safe='')}"
