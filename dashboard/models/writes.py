from __future__ import annotations

from django.db import models


class DataWrite(models.Model):
    """That a statement wrote what pages show. Only PostgreSQL keeps them; `dashboard/writes.py` says why."""

    stamp = models.BigIntegerField(db_comment="By chance, so that no two states are taken for one")

    class Meta:
        db_table = "data_writes"
        default_permissions = ()
        db_table_comment = "A row for each statement that wrote what pages show, until many become one"

    def __str__(self) -> str:
        return str(self.stamp)
