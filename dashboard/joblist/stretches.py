"""The jobs of many stretches of an index as one list, in order.

An index on (status, start, id) holds the jobs of one status, newest first. Those of two statuses lie in two
stretches of it, and a database that is asked for both at once sorts them all, or walks the whole log in the
hope of meeting some. Here each stretch is read by itself, no further than the list needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import BooleanField, F, QuerySet
from django.db.models.expressions import Col, RawSQL
from django.db.models.lookups import Exact, In, IsNull
from django.db.models.sql.where import WhereNode

from .. import workers
from ..models import Team
from ..models.among import Among, among
from ..models.distinct import distinct
from ..models.overlap import AnyOf, RanLonger, Rare, looked_at, nearly_all_meet

# An index begins with each of these, and one with all four of CELL; start and id follow.
CELL = ("team_id", "provider", "gpu_type", "status")
ALONE = ("model_name", "submitted_by")
MOST = 400  # stretches; SQLite takes no more than 500 in one statement
FEW = 10_000  # rows that are sorted at once
NO_LIMIT = 10**12
IN_ORDER = "SET LOCAL enable_incremental_sort = off; "  # sent with a statement, which is a transaction then

SQL = tuple[str, tuple[Any, ...]]
Stretches = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Part:
    """Rows, and what they are narrowed to beside: one value of each column for each stretch.

    rare: so few that all of them are read.
    """

    rows: QuerySet[Any]
    columns: tuple[str, ...] = ()
    stretches: Stretches | None = None
    rare: bool = False


def first(rows: QuerySet[Any], descending: bool, most: int, alike: bool = False) -> list[UUID]:
    """Keys of the first rows by `sort_value` and key, where both stand in an index.

    alike: many may have the same value. PostgreSQL takes each to be of few, would find those in an index of
    the value alone, and sort them all by the key.
    """
    by_end = is_end(rows.query.annotations["sort_value"])
    sql, params = union([in_order(part, descending, most) for part in parts(rows, by_end)])
    if not sql:
        return []
    way = "DESC" if descending else "ASC"
    planned = IN_ORDER if alike and connections[rows.db].vendor == "postgresql" else ""
    return keys(rows, f"{planned}{sql} ORDER BY 1 {way}, 2 {way} LIMIT {most}", params)


def first_sorted(rows: QuerySet[Any], descending: bool, most: int) -> list[UUID]:
    """The same for a value that no index knows: all rows are sorted."""
    sql, params = union([all_of(part) for part in parts(rows)])
    way = "DESC" if descending else "ASC"
    return keys(rows, f"{sql} ORDER BY 1 {way}, 2 {way} LIMIT {most}", params) if sql else []


def count(rows: QuerySet[Any], most: int) -> int:
    """How many rows there are, or most + 1 when there are more than that."""
    rows = rows.order_by().annotate(sort_value=F("start_time"))
    sql, params = union([in_order(part, True, most + 1) for part in parts(rows)])
    if not sql:
        return 0
    [(number,)] = asked(rows, f"SELECT COUNT(*) FROM ({sql} LIMIT {most + 1}) AS found", params)
    return number


def keys(rows: QuerySet[Any], sql: str, params: Sequence[Any]) -> list[UUID]:
    known = rows.model._meta.pk.to_python
    return [known(key) for _, key in asked(rows, sql, params)]


def asked(rows: QuerySet[Any], sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connections[rows.db].cursor() as cursor:
        cursor.execute(sql, params)
        if sql.startswith(IN_ORDER):
            cursor.nextset()
        return cursor.fetchall()


def union(selects: Iterable[SQL]) -> SQL:
    found = [select for select in selects if select[0]]
    sql = " UNION ALL ".join(f"SELECT * FROM ({sql}) AS part_{n}" for n, (sql, _) in enumerate(found))
    return sql, tuple(value for _, params in found for value in params)


def in_order(part: Part, descending: bool, most: int) -> SQL:
    """The part's first rows."""
    way = "DESC" if descending else "ASC"
    return all_of(part) if part.rare else read(part, f"ORDER BY 1 {way}, 2 {way} LIMIT {most}")


def all_of(part: Part) -> SQL:
    """The limit keeps the database from walking an index of the value in search of the rows."""
    return read(part, f"LIMIT {NO_LIMIT}")


def read(part: Part, order: str) -> SQL:
    """Each of its stretches by itself, in that order."""
    rows = part.rows
    if part.stretches is not None:
        on = " AND ".join(f'"jobs"."{column}" = stretch.{column}' for column in part.columns)
        rows = rows.filter(RawSQL(on, [], output_field=BooleanField()))
    try:
        sql, params = selected(rows)
    except EmptyResultSet:
        return "", ()
    sql = f"{sql} {order}"
    if part.stretches is None:
        return sql, params
    if not part.stretches:
        return "", ()
    joined = side_by_side if connections[rows.db].vendor == "postgresql" else one_by_one
    return joined(sql, params, part.columns, part.stretches)


def selected(rows: QuerySet[Any]) -> SQL:
    query = rows.order_by().values_list("sort_value", "pk").query
    return query.get_compiler(rows.db).as_sql()


def side_by_side(sql: str, params: Sequence[Any], columns: Sequence[str], stretches: Stretches) -> SQL:
    row = f"({', '.join(['%s'] * len(columns))})"
    stretch = f"(VALUES {', '.join([row] * len(stretches))}) AS stretch ({', '.join(columns)})"
    given = tuple(value for values in stretches for value in values)
    return f"SELECT found.* FROM {stretch} CROSS JOIN LATERAL ({sql}) AS found", (*given, *params)


def one_by_one(sql: str, params: Sequence[Any], columns: Sequence[str], stretches: Stretches) -> SQL:
    """SQLite knows no LATERAL. A stretch's own values are the last of its statement."""
    for column in columns:
        sql = sql.replace(f"stretch.{column}", "%s")
    return union((sql, (*params, *values)) for values in stretches)


def parts(rows: QuerySet[Any], by_end: bool = False) -> Iterator[Part]:
    """The rows as parts without a row in common, each with the stretches of the index that fits it best.

    by_end: they are read in the order of an index on ends alone.
    """
    plain, choices = [], []
    for condition in rows.query.where.children:
        found = alternatives(condition)
        if found:
            choices.append(found)
        else:
            plain.append(condition)
    for picked in product(*choices):
        conditions = [*plain, *(one for some in picked for one in some)]
        if not contradict(rows, conditions):
            yield part_of(rows, conditions, by_end)


def contradict(rows: QuerySet[Any], conditions: Sequence[Any]) -> bool:
    """A column shall have none but values that others exclude, as where one provider is asked for."""
    given, denied = values_given(rows, conditions), excluded(rows, conditions)
    return any(set(values) <= set(denied.get(column, ())) for column, values in given.items())


def is_rare(condition: Any) -> bool:
    return isinstance(condition, Exact) and isinstance(condition.lhs, Rare)


def alternatives(condition: Any) -> list[list[Any]]:
    """What each condition of an `AnyOf` is made of; nothing where it is none."""
    if not (isinstance(condition, Exact) and isinstance(condition.lhs, AnyOf)) or is_rare(condition):
        return []
    return [pieces(one) for one in condition.lhs.get_source_expressions()]


def pieces(condition: Any) -> list[Any]:
    together = condition.connector == "AND" and not condition.negated
    return list(condition.children) if together else [condition]


def part_of(rows: QuerySet[Any], conditions: Sequence[Any], by_end: bool) -> Part:
    if any(is_rare(one) for one in conditions):
        # Jobs without a start are many, too.
        said = [looked_at(one) if isinstance(one, IsNull) else one for one in conditions]
        return Part(narrowed(rows, said), rare=True)
    if column := column_of_many(rows, conditions):
        return of_many(rows, conditions, column, by_end)
    if by_end:  # long jobs have an index of their own, of starts
        return Part(narrowed(rows, conditions), rare=any(is_about_length(one) for one in conditions))
    columns, stretches = stretches_of(rows, conditions)
    if stretches is not None:
        conditions = [one for one in conditions if column_of(one) not in columns]
    return Part(narrowed(rows, ends_looked_at(conditions)), columns, stretches)


def is_end(expression: Any) -> bool:
    return isinstance(expression, Col) and expression.target.column == "end_time"


def ends_looked_at(conditions: Sequence[Any]) -> list[Any]:
    """Jobs that began within some days nearly all end within them; an index of ends holds as many others."""
    of_ends = [one for one in conditions if is_end(getattr(one, "lhs", None)) and not isinstance(one, IsNull)]
    if not of_ends:
        return list(conditions)
    return [*(one for one in conditions if one not in of_ends), nearly_all_meet(WhereNode(of_ends))]


def of_many(rows: QuerySet[Any], conditions: Sequence[Any], column: str, by_end: bool) -> Part:
    """Of more values than stretches can be read. Where few rows have one of them, these are sorted; else
    the list is walked, and soon comes upon enough of them.
    """
    values = values_given(rows, conditions)[column]
    named = [one for one in conditions if column_of(one) == column]
    others = [one for one in conditions if one not in named]
    one_of_many = Among(named[0].lhs, values)
    if has_few(rows, column, values):
        return Part(narrowed(rows, [*others, one_of_many]), rare=True)
    return part_of(rows, [*others, nearly_all_meet(one_of_many)], by_end)


def has_few(rows: QuerySet[Any], column: str, values: Sequence[Any]) -> bool:
    condition, params = among(column, values, "sqlite")
    some = f"SELECT 1 FROM jobs WHERE {condition}"
    if connections[rows.db].vendor == "postgresql":  # which would rather look at all rows for that many
        each = f"SELECT 1 FROM jobs WHERE {column} = given.value ORDER BY start_time LIMIT {FEW + 1}"
        some = f"SELECT 1 FROM unnest(%s::text[]) AS given (value) CROSS JOIN LATERAL ({each}) AS found"
        params = [list(values)]
    [(number,)] = asked(rows, f"SELECT COUNT(*) FROM ({some} LIMIT {FEW + 1}) AS those", params)
    return number <= FEW


def narrowed(rows: QuerySet[Any], conditions: Sequence[Any]) -> QuerySet[Any]:
    copy = rows.all()
    copy.query.where = type(copy.query.where)(list(conditions))
    return copy


def stretches_of(rows: QuerySet[Any], conditions: Sequence[Any]) -> tuple[tuple[str, ...], Stretches | None]:
    """None where one stretch is enough, or where there would be too many."""
    given = values_given(rows, conditions)
    alone = [column for column in ALONE if column in given]
    of_cell = [column for column in CELL if column in given]
    spread = workers.hold_jobs(connections[rows.db])  # each worker looks through its own part
    if spread or any(is_about_length(one) for one in conditions) or not (alone or of_cell):
        return (), None
    if alone or len(of_cell) == 1:
        column = (alone or of_cell)[0]
        stretches = tuple((value,) for value in given[column])
        return ((column,), stretches) if 1 < len(stretches) <= MOST else ((), None)
    stretches = tuple(cells(rows, given, excluded(rows, conditions)))
    return (CELL, stretches) if len(stretches) <= MOST else ((), None)


def values_given(rows: QuerySet[Any], conditions: Iterable[Any]) -> dict[str, list[Any]]:
    """The values of each column that an index begins with, as the database knows them."""
    given: dict[str, list[Any]] = {}
    for condition in conditions:
        if column := column_of(condition):
            values = condition.rhs if isinstance(condition, In) else [condition.rhs]
            field, connection = condition.lhs.target, connections[rows.db]
            known = [field.get_db_prep_value(value, connection, prepared=False) for value in values]
            both = set(given.get(column, known))
            given[column] = [one for one in dict.fromkeys(known) if one in both]
    return given


def column_of_many(rows: QuerySet[Any], conditions: Sequence[Any]) -> str | None:
    """The column that has more values than stretches can be read."""
    if workers.hold_jobs(connections[rows.db]):
        return None
    given = values_given(rows, conditions)
    return next((column for column in ALONE if len(given.get(column, ())) > MOST), None)


def excluded(rows: QuerySet[Any], conditions: Iterable[Any]) -> dict[str, list[Any]]:
    """The values that a column shall not have: whole stretches of them would be read to find none."""
    denied = (
        one.children[0] for one in conditions if getattr(one, "negated", False) and len(one.children) == 1
    )
    return values_given(rows, denied)


def column_of(condition: Any) -> str | None:
    """The column of a condition that names its values."""
    if not isinstance(condition, (Exact, In)) or not isinstance(condition.lhs, Col):
        return None
    column = condition.lhs.target.column
    named = not hasattr(condition.rhs, "as_sql") and (column in CELL or column in ALONE)
    return column if named and condition.lhs.alias == "jobs" else None


def is_about_length(condition: Any) -> bool:
    """Long jobs are few, and have an index of their own."""
    if isinstance(condition, RanLonger):
        return True
    return any(is_about_length(one) for one in getattr(condition, "get_source_expressions", list)())


def cells(
    rows: QuerySet[Any], given: dict[str, list[Any]], denied: dict[str, list[Any]]
) -> Iterator[tuple[Any, ...]]:
    """Every team, provider, GPU type and status that there may be jobs of."""
    connection = connections[rows.db]
    teams = given.get("team_id") or key_values(Team.objects.using(rows.db), connection)
    pairs = distinct(connection, "jobs", ["provider", "gpu_type"])
    statuses = given.get("status") or [status for (status,) in distinct(connection, "jobs", ["status"])]
    fitting = [
        (provider, gpu_type)
        for provider, gpu_type in pairs
        if provider in given.get("provider", [provider]) and gpu_type in given.get("gpu_type", [gpu_type])
        if provider not in denied.get("provider", [])
    ]
    for team, pair, status in product(teams, fitting, statuses):
        yield (team, *pair, status)


def key_values(rows: QuerySet[Any], connection: Any) -> list[Any]:
    prepared = rows.model._meta.pk.get_db_prep_value
    return [prepared(key, connection, prepared=False) for key in rows.order_by().values_list("pk", flat=True)]
