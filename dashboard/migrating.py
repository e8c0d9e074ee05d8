"""Operations of migrations beside which others go on reading and writing a large table."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models, transaction


class AddIndexBeside(migrations.AddIndex):
    """For migrations with `atomic = False`: on PostgreSQL no writer waits while the index is made.

    One that was broken off stays as an invalid index; the next try makes it anew.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            drop_beside(schema_editor, self.index.name)
            add_beside(schema_editor, model, self.index)


class RemoveIndexBeside(migrations.RemoveIndex):
    """The same of one that goes: nobody waits behind a long reader of the table."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = from_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            drop_beside(schema_editor, self.name)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            state = to_state.models[app_label, self.model_name_lower]
            drop_beside(schema_editor, self.name)
            add_beside(schema_editor, model, state.get_index_by_name(self.name))


def drop_beside(schema_editor: Any, index: str) -> None:
    beside = "CONCURRENTLY" if others_may_go_on(schema_editor) else ""
    schema_editor.execute(f"DROP INDEX {beside} IF EXISTS {schema_editor.quote_name(index)}")


def add_beside(schema_editor: Any, model: Any, index: models.Index) -> None:
    beside = {"concurrently": True} if others_may_go_on(schema_editor) else {}
    schema_editor.add_index(model, index, **beside)


def others_may_go_on(schema_editor: Any) -> bool:
    connection = schema_editor.connection
    return connection.vendor == "postgresql" and not connection.in_atomic_block


class AddUniqueBeside(migrations.AddConstraint):
    """The same of a unique constraint: its index is made first, and then taken over."""

    constraint: models.UniqueConstraint

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        connection = schema_editor.connection
        if not others_may_go_on(schema_editor):
            with transaction.atomic(connection.alias):  # SQLite makes the table anew
                super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(connection.alias, model) and not self.is_there(connection, model):
            table, name = map(schema_editor.quote_name, (model._meta.db_table, self.constraint.name))
            columns = (model._meta.get_field(field).column for field in self.constraint.fields)
            cells = ", ".join(map(schema_editor.quote_name, columns))
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            schema_editor.execute(f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} ({cells})")
            schema_editor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}")

    def is_there(self, connection: Any, model: Any) -> bool:
        """The constraint, not an index of its name alone."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM pg_constraint WHERE conname = %s AND conrelid = %s::regclass",
                [self.constraint.name, model._meta.db_table],
            )
            return cursor.fetchone() is not None


class Together(migrations.SeparateDatabaseAndState):
    """A transaction of its own in a migration with `atomic = False`; done once, however often it is tried.

    made: the table by which it is known to be done.
    """

    atomic = True

    def __init__(self, operations: list[Any], made: str) -> None:
        super().__init__(operations, operations)
        self.made = made

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if self.made not in schema_editor.connection.introspection.table_names():
            super().database_forwards(app_label, schema_editor, from_state, to_state)
