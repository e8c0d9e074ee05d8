from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class DashboardConfig(AppConfig):
    name = "dashboard"
    verbose_name = "Data"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import audit, checks, error_reports  # noqa: F401
        from .people import sessions  # noqa: F401
        from .rollups import clocks  # noqa: F401

        error_reports.begin()
        post_migrate.connect(keep_roll_ups, sender=self)
        post_migrate.connect(note_writes, sender=self)
        pre_migrate.connect(let_columns_change, sender=self)
        post_migrate.connect(refuse_what_no_page_could_read, sender=self)


def keep_roll_ups(using: str, **kwargs: Any) -> None:
    """SQLite drops a table's triggers where a migration builds the table anew; Citus can have none.

    A flush empties the tables in any order: where the jobs come last, their triggers note that they went.
    """
    from django.db import connections

    from . import workers
    from .rollups import triggers

    connection = connections[using]
    if triggers.STAMPS not in connection.introspection.table_names():
        return
    workers.ask_again(connection)
    if not triggers.are_there(connection) and not workers.hold_jobs(connection):
        triggers.install(connection)
    triggers.forget_what_no_job_says(connection)


def note_writes(using: str, **kwargs: Any) -> None:
    from django.db import connections

    from . import writes

    writes.install(connections[using])


def let_columns_change(using: str, **kwargs: Any) -> None:
    from django.db import connections

    from . import typed

    typed.drop(connections[using])


def refuse_what_no_page_could_read(using: str, **kwargs: Any) -> None:
    from django.db import connections

    from . import typed

    typed.install(connections[using])
