"""Every way in which Django writes jobs, so that the roll-ups hear of it where no triggers can tell them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connections, models, router

from .. import workers

M = TypeVar("M", bound=models.Model)
Block = AbstractContextManager[None]


class NotedQuerySet(models.QuerySet[M]):
    """Of jobs. One is saved by `_insert` or `_update`; `_raw_delete` removes them, alone or with a team."""

    def update(self, **values: Any) -> int:
        self._for_write = True
        with self.noted(self.model._meta.get_field(name) for name in values):
            return super().update(**values)

    update.alters_data = True  # type: ignore[attr-defined]

    def _update(self, values: Any) -> int:
        with self.noted(field for field, *_ in values):
            return super()._update(values)  # type: ignore[misc]

    _update.alters_data = True  # type: ignore[attr-defined]
    _update.queryset_only = False  # type: ignore[attr-defined]

    def _insert(self, objs: Any, fields: Any, *rest: Any, using: str | None = None, **how: Any) -> Any:
        self._for_write = True
        with these(using or self.db, self.model, [row.pk for row in objs]):
            return super()._insert(objs, fields, *rest, using=using, **how)  # type: ignore[misc]

    _insert.alters_data = True  # type: ignore[attr-defined]
    _insert.queryset_only = False  # type: ignore[attr-defined]

    def _raw_delete(self, using: str | None) -> Any:
        with self.using(using).noted():
            return super()._raw_delete(using)

    _raw_delete.alters_data = True  # type: ignore[attr-defined]

    def select_for_update(self, *args: Any, **how: Any) -> Any:
        """Where rows of several workers cannot be locked, no other writer comes in between."""
        from ..rollups import noting

        held = self.all()
        held._for_write = True
        if not workers.hold_jobs(connections[held.db]):
            return super().select_for_update(*args, **how)
        noting.alone(connections[held.db])
        return held

    def noted(self, fields: Iterable[Any] | None = None) -> Block:
        """Around a write of these rows; fields: those that change, where not all of them do."""
        from ..rollups import cutting, noting

        connection = connections[self.db]
        if not workers.hold_jobs(connection):
            return nullcontext()
        if fields is not None and not {field.column for field in fields} & set(cutting.WATCHED):
            return nullcontext()
        try:
            keys = self.order_by().values("id").query.get_compiler(connection=connection).as_sql()
        except EmptyResultSet:
            return nullcontext()
        return noting.noted(connection, *keys)


def these(using: str, model: Any, keys: list[Any]) -> Block:
    """Around a write of rows that may not be there yet."""
    from ..rollups import noting

    connection = connections[using]
    if not keys or not workers.hold_jobs(connection):
        return nullcontext()
    prepared = [model._meta.pk.get_db_prep_value(key, connection) for key in keys]
    rows = ", ".join(["(%s)"] * len(keys))
    return noting.noted(connection, f"SELECT column1 AS id FROM (VALUES {rows}) AS said", prepared)


class Noted(models.Model):
    """A team that is deleted takes its jobs along by `_base_manager`: it has to be the one that notes."""

    objects = NotedQuerySet.as_manager()

    class Meta:
        abstract = True
        base_manager_name = "objects"

    def delete(self, using: Any = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        using = using or router.db_for_write(type(self), instance=self)
        with these(using, type(self), [self.pk]):
            return super().delete(using, keep_parents)
