"""SQLite stores any value in any column: triggers refuse what no page could read, as PostgreSQL's types do.

Imports and forms refuse it in their own words. This is for writers who speak plain SQL to the four entities.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import CharField, DateField, DateTimeField, DecimalField, ForeignKey, UUIDField

from .models import CostSnapshot, Job, Team, UsageSnapshot
from .statements import execute, rows

ENTITIES: tuple[type[models.Model], ...] = (Team, Job, CostSnapshot, UsageSnapshot)
NAME = "typed"
OF_A_YEAR = "substr({0}, 1, 4) > '0000'"


@dataclass(frozen=True)
class Rule:
    """condition: SQL with a {} for a value that is not null. expected: what it is, in words."""

    column: str
    condition: str
    expected: str

    def broken(self, row: str = "") -> str:
        value = f'{row}"{self.column}"'
        return f"{value} IS NOT NULL AND NOT COALESCE({self.condition.format(value)}, 0)"


def rules(model: type[models.Model]) -> list[Rule]:
    said = {field.attname: condition(field) for field in model._meta.local_concrete_fields}
    return [Rule(column, one[0], one[1]) for column, one in said.items() if one]


def condition(field: Any) -> tuple[str, str] | None:
    """SQLite turns 30 February into 2 March, knows an hour 24, and takes a bare number for a Julian day."""
    kind = field.target_field if isinstance(field, ForeignKey) else field
    if isinstance(kind, DecimalField):
        most = f"1e{kind.max_digits - kind.decimal_places}"
        return f"typeof({{0}}) IN ('integer', 'real') AND abs({{0}}) < {most}", f"a number below {most}"
    if isinstance(kind, DateTimeField):
        day = "substr({0}, 1, 10)"
        time = "datetime({0}) IS NOT NULL AND substr({0}, 12, 2) < '24'"
        return (
            f"date({day}, '+0 days') = {day} AND {OF_A_YEAR} AND {time}",
            "a time such as 2025-03-01 12:00:00",
        )
    if isinstance(kind, DateField):
        return f"date({{0}}, '+0 days') = {{0}} AND {OF_A_YEAR}", "a day such as 2025-03-01"
    if isinstance(kind, UUIDField):
        digits = "replace({0}, '-', '')"
        return f"length({digits}) = 32 AND {digits} NOT GLOB '*[^0-9a-fA-F]*'", "a uuid"
    if isinstance(kind, CharField):
        return "typeof({0}) = 'text'", "text"
    return None


def install(connection: Any) -> None:
    """The triggers that are missing, for the columns that the tables have: a migration may have gone back."""
    if connection.vendor != "sqlite":
        return
    there, present = triggers(connection), connection.introspection.table_names()
    for model in ENTITIES:
        if model._meta.db_table in present:
            ruled = [rule for rule in rules(model) if rule.column in columns(connection, model)]
            for name, statement in statements(model._meta.db_table, ruled):
                if name not in there:
                    execute(connection, statement)


def drop(connection: Any) -> None:
    """Before migrations: SQLite takes no column away that a trigger names."""
    if connection.vendor == "sqlite":
        for name in ours() & triggers(connection):
            execute(connection, f"DROP TRIGGER {name}")


def are_there(connection: Any) -> bool:
    return ours() <= triggers(connection)


def ours() -> set[str]:
    return {name for model in ENTITIES for name, _ in statements(model._meta.db_table, rules(model))}


def triggers(connection: Any) -> set[str]:
    return {name for (name,) in rows(connection, "SELECT name FROM sqlite_master WHERE type = 'trigger'")}


def columns(connection: Any, model: type[models.Model]) -> set[str]:
    said = rows(connection, "SELECT name FROM pragma_table_info(%s)", [model._meta.db_table])
    return {name for (name,) in said}


def statements(table: str, ruled: list[Rule]) -> Iterator[tuple[str, str]]:
    of = ", ".join(f'"{rule.column}"' for rule in ruled)
    for event, on in {"insert": "INSERT", "update": f"UPDATE OF {of}"}.items():
        name, cases = f"{table}_{NAME}_{event}", " ".join(refused(table, rule, event) for rule in ruled)
        yield name, f"CREATE TRIGGER {name} BEFORE {on} ON {table} BEGIN SELECT CASE {cases} END; END"


def refused(table: str, rule: Rule, event: str) -> str:
    """What was there before may stay: else a row that came in broken could be mended in one go only."""
    when = f'NEW."{rule.column}" IS NOT OLD."{rule.column}" AND ' if event == "update" else ""
    words = f"{table}.{rule.column}: expected {rule.expected}"
    return f"WHEN {when}{rule.broken('NEW.')} THEN RAISE(ABORT, '{words}')"


def unreadable(connection: Any) -> Iterator[tuple[str, int]]:
    """Columns with values that came in before the triggers did, and in how many rows of each."""
    for model in ENTITIES:
        table, ruled = model._meta.db_table, rules(model)
        counts = ", ".join(f"SUM({rule.broken()})" for rule in ruled)
        [found] = rows(connection, f"SELECT {counts} FROM {table}")
        for rule, count in zip(ruled, found, strict=True):
            if count:
                yield f"{table}.{rule.column}", count
