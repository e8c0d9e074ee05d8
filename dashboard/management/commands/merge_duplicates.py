"""Adds up snapshots of the same day, provider and GPU type, in plain SQL: migrations may still be waiting."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from ... import audit
from ...counted import counted
from ...schema import AMOUNTS, FIRST_TOO_LARGE, RepeatedCell, repeated_cells

MOST_NAMED = 50


class Command(BaseCommand):
    help = "Merges cost and usage rows of the same day, provider and GPU type into the oldest of them."
    # The models' columns may not be there yet.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would be merged, change nothing")

    @transaction.atomic
    def handle(self, *args: Any, dry_run: bool = False, **options: Any) -> None:
        lock()
        cells = repeated_cells(connection)
        for cell in cells:
            self.stdout.write(str(cell))
            if not dry_run:
                merge(cell)
        removed = sum(cell.rows - 1 for cell in cells)
        if cells and not dry_run:
            audit.record_early(
                "merged", counted(len(cells), "cell"), "; ".join(map(str, cells[:MOST_NAMED])), rows=removed
            )
        done = "Would merge" if dry_run else "Merged"
        self.stdout.write(f"{done} {len(cells)} cells and remove {removed} rows; no total changes.")


def lock() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {', '.join(AMOUNTS)} IN SHARE ROW EXCLUSIVE MODE")


def merge(cell: RepeatedCell) -> None:
    if abs(cell.total) >= FIRST_TOO_LARGE:
        raise CommandError(f"{cell}: the sum is too large for the column. Nothing was changed.")
    same_cell = "date = %s AND provider = %s AND gpu_type = %s"
    key: list[Any] = [cell.day, cell.provider, cell.gpu_type]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM {cell.table} WHERE {same_cell} ORDER BY created_at, id LIMIT 1", key)
        [oldest] = cursor.fetchone()
        cursor.execute(f"DELETE FROM {cell.table} WHERE {same_cell} AND id <> %s", [*key, oldest])
        cursor.execute(
            f"UPDATE {cell.table} SET {AMOUNTS[cell.table]} = %s, updated_at = CURRENT_TIMESTAMP "
            "WHERE id = %s",
            [cell.total, oldest],
        )
