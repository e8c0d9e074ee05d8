"""Keyset pages: as quick at the end of a long list as at its start, and no row twice or never."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet

PER_PAGE = 50
MOST_PER_PAGE = 200


class BadCursor(ValueError):
    """The address of the page was altered or comes from another sort order."""


@dataclass(frozen=True)
class Cursor:
    """The place beside a row: its sort value, its key, and the moment that running jobs were measured at."""

    value: Any
    key: UUID
    moment: datetime

    def __str__(self) -> str:
        text = json.dumps([packed(self.value), self.key.hex, self.moment.isoformat()], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> Cursor:
        try:
            padded = text + "=" * (-len(text) % 4)
            value, key, moment = json.loads(base64.urlsafe_b64decode(padded.encode()))
            read = cls(unpacked(value), UUID(key), datetime.fromisoformat(moment))
        except (ValueError, TypeError, ArithmeticError, AttributeError, RecursionError) as error:
            raise BadCursor(text) from error
        if read.moment.tzinfo is None:
            raise BadCursor(text)
        return read


def packed(value: Any) -> list[str] | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return ["t", value.isoformat()]
    if isinstance(value, timedelta):
        return ["d", str(value // timedelta(microseconds=1))]
    if isinstance(value, Decimal):
        return ["n", str(value)]
    return ["s", str(value)]


def unpacked(packed: Any) -> Any:
    if packed is None:
        return None
    kind, text = packed
    if not isinstance(text, str) or len(text) > 1000 or "\0" in text:
        raise ValueError(kind)
    if kind == "t":
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError(text)
        return moment
    if kind == "d":
        return timedelta(microseconds=int(text[:20]))
    if kind == "n":
        number = Decimal(text)
        if not number.is_finite() or abs(number.adjusted()) > 20:
            raise ValueError(text)
        return number
    if kind == "s":
        return text
    raise ValueError(kind)


@dataclass(frozen=True)
class Page:
    """rows in display order; before/after lead to the neighbouring pages, None at the ends."""

    rows: Sequence[Any]
    before: Cursor | None
    after: Cursor | None


def keyset_page(
    rows: QuerySet[Any],
    descending: bool,
    size: int,
    moment: datetime,
    after: Cursor | None = None,
    before: Cursor | None = None,
) -> Page:
    """One page of rows annotated with `sort_value`; rows without a value come last either way."""
    backwards = before is not None
    edge = before or after
    if edge is not None:
        try:
            rows = rows.filter(beyond(edge, descending, backwards))
        except (TypeError, ValueError) as error:
            raise BadCursor from error
    found = list(rows.order_by(*order(descending, backwards))[: size + 1])
    more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    has_before, has_after = (more, True) if backwards else (after is not None, more)
    return Page(
        found,
        cursor(found[0], moment) if found and has_before else None,
        cursor(found[-1], moment) if found and has_after else None,
    )


def cursor(row: Any, moment: datetime) -> Cursor:
    return Cursor(row.sort_value, row.pk, moment)


def order(descending: bool, backwards: bool) -> list[Any]:
    value, key = F("sort_value"), F("pk")
    if descending != backwards:
        nulls = {"nulls_first": True} if backwards else {"nulls_last": True}
        return [value.desc(**nulls), key.desc()]
    nulls = {"nulls_first": True} if backwards else {"nulls_last": True}
    return [value.asc(**nulls), key.asc()]


def beyond(edge: Cursor, descending: bool, backwards: bool) -> Q:
    way = "lt" if descending != backwards else "gt"
    tied = Q(sort_value=edge.value) if edge.value is not None else Q(sort_value__isnull=True)
    further = tied & Q(**{f"pk__{way}": edge.key})
    if edge.value is None:
        return further | Q(sort_value__isnull=False) if backwards else further
    further |= Q(**{f"sort_value__{way}": edge.value})
    return further if backwards else further | Q(sort_value__isnull=True)
