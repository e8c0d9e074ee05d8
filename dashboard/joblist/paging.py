"""Keyset pages: as quick at the end of a long list as at its start, and no row twice or never."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import BooleanField, F, Func, QuerySet, Value
from django.db.models.lookups import GreaterThan, LessThan

from ..models.calendar import FIRST_INSTANT, LAST_INSTANT
from . import stretches

PER_PAGE = 50
MOST_PER_PAGE = 200
MOST_MICROSECONDS = 2**63 - 1  # of the integers that SQLite knows
Shown = Callable[[Any], QuerySet[Any]]
LAST = "end"  # in the place of a cursor: the page at the end of the list


class BadCursor(ValueError):
    """The address of the page was altered or comes from another sort order."""

    def __init__(self, words: str = "The address of that page cannot be read.") -> None:
        super().__init__(words)


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
            raise BadCursor from error
        if read.moment.tzinfo is None or not FIRST_INSTANT <= read.moment <= LAST_INSTANT:
            raise BadCursor
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
    text.encode()  # half of a surrogate pair is no text
    if kind == "t":
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError(text)
        return moment.astimezone(UTC)
    if kind == "d":
        microseconds = int(text)
        if abs(microseconds) > MOST_MICROSECONDS:
            raise ValueError(text)
        return timedelta(microseconds=microseconds)
    if kind == "n":
        number = Decimal(text)
        if not number.is_finite() or abs(number.adjusted()) > 20:
            raise ValueError(text)
        return number
    if kind == "s":
        return text
    raise ValueError(kind)


@dataclass(frozen=True)
class Order:
    """How a list is ordered by its `sort_value`; rows without one come last either way, by their key.

    indexed: the database reads the rows in that order; otherwise it sorts them all. nullable: some rows
    may have no value.
    """

    descending: bool
    indexed: bool = True
    nullable: bool = True


@dataclass(frozen=True)
class Place:
    """Where in a list a page lies: after or before a row, at the end (last), or else at the start."""

    moment: datetime
    after: Cursor | None = None
    before: Cursor | None = None
    last: bool = False

    @classmethod
    def read(cls, given: Mapping[str, str], moment: datetime) -> Place:
        """From the parameters `after` and `before`; a page beside another is of that one's moment."""
        if before := given.get("before"):
            if before == LAST:
                return cls(moment, last=True)
            edge = Cursor.read(before)
            return cls(edge.moment, before=edge)
        if after := given.get("after"):
            edge = Cursor.read(after)
            return cls(edge.moment, after=edge)
        return cls(moment)


@dataclass(frozen=True)
class Page:
    """rows in display order; before/after lead to the neighbouring pages, None at the ends."""

    rows: Sequence[Any]
    before: Cursor | None
    after: Cursor | None


def keyset_page(
    rows: QuerySet[Any], order: Order, size: int, place: Place, shown: Shown = QuerySet.all
) -> Page:
    """One page of rows annotated with `sort_value`. shown: what is read of those that are on it."""
    backwards = place.last or place.before is not None
    keys = first_keys(rows, order, size + 1, place.before or place.after, backwards)
    more, found = len(keys) > size, loaded(shown(rows), keys[:size])
    if place.before and not more:
        return keyset_page(rows, order, size, Place(place.moment), shown)  # the first page is a full one
    if place.after and not found:
        return keyset_page(rows, order, size, Place(place.moment, last=True), shown)
    if backwards:
        found.reverse()
    has_before, has_after = (more, not place.last) if backwards else (place.after is not None, more)
    return Page(
        found,
        cursor(found[0], place.moment) if found and has_before else None,
        cursor(found[-1], place.moment) if found and has_after else None,
    )


def order(descending: bool, backwards: bool) -> list[Any]:
    value, key = F("sort_value"), F("pk")
    if descending != backwards:
        nulls = {"nulls_first": True} if backwards else {"nulls_last": True}
        return [value.desc(**nulls), key.desc()]
    nulls = {"nulls_first": True} if backwards else {"nulls_last": True}
    return [value.asc(**nulls), key.asc()]


def cursor(row: Any, moment: datetime) -> Cursor:
    return Cursor(row.sort_value, row.pk, moment)


def first_keys(
    rows: QuerySet[Any], order: Order, most: int, edge: Cursor | None = None, backwards: bool = False
) -> list[UUID]:
    """Keys of the rows next to the edge, or from the end that the direction starts at."""
    keys: list[UUID] = []
    for segment, without_value in segments(rows, order, edge, backwards):
        descending = order.descending != backwards
        if order.indexed:
            keys += stretches.first(segment, descending, most - len(keys), alike=without_value)
        else:
            keys += stretches.first_sorted(segment, descending, most - len(keys))
        if len(keys) == most:
            break
    return keys


def segments(
    rows: QuerySet[Any], order: Order, edge: Cursor | None = None, backwards: bool = False
) -> list[tuple[QuerySet[Any], bool]]:
    """The rows beyond the edge with a value and those without, in the order of reading, and which they are.

    Apart, because no database reads both from one index, nulls last in both directions.
    """
    apart = [(rows, False)]
    if order.nullable:
        apart = [(rows.filter(sort_value__isnull=is_null), is_null) for is_null in (False, True)]
    if backwards:
        apart.reverse()
    if edge is None:
        return apart
    if edge.value is None and not order.nullable:
        raise BadCursor
    descending = order.descending != backwards
    if order.nullable and (edge.value is None) != backwards:
        apart = apart[-1:]
    rows, is_null = apart[0]
    return [(beyond(rows, edge, descending), is_null), *apart[1:]]


def beyond(rows: QuerySet[Any], edge: Cursor, descending: bool) -> QuerySet[Any]:
    comes_after = LessThan if descending else GreaterThan
    if edge.value is None:
        return rows.filter(**{f"pk__{'lt' if descending else 'gt'}": edge.key})
    field = rows.query.annotations["sort_value"].output_field
    if type(edge.value) is not KINDS[field.get_internal_type()]:
        raise BadCursor
    try:
        field.run_validators(edge.value)
    except ValidationError as error:
        raise BadCursor from error
    key = rows.model._meta.pk
    place = Both(Value(edge.value, output_field=field), Value(edge.key, output_field=key))
    return rows.filter(comes_after(Both(F("sort_value"), F("pk")), place))


class Both(Func):
    """Two values that are compared as one: by the second where the first are equal."""

    template = "(%(expressions)s)"
    output_field = BooleanField()


KINDS = {
    "CharField": str,
    "DateTimeField": datetime,
    "DecimalField": Decimal,
    "DurationField": timedelta,
}


def loaded(rows: QuerySet[Any], keys: Sequence[UUID]) -> list[Any]:
    """The rows of these keys, in their order."""
    copy = rows.all()
    copy.query.where = type(copy.query.where)()  # they are known to be among the rows
    found = {row.pk: row for row in copy.filter(pk__in=keys)} if keys else {}
    return [found[key] for key in keys if key in found]
