"""Forms beside those who write the same: each is held against what is stored when its turn comes.

Forms of one kind take turns. An import takes none: it is long, and no form should wait for it. Where it has
stored the same, the database's own keys refuse the form, which comes back as it was typed, with words.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import IntegrityError, connection
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse

from ..statements import wait_for_turn
from .as_seen import OfOneRow

FORMS = 0x4E0F0  # advisory lock: one form of a kind is saved at a time
UNIQUE = "23505"  # PostgreSQL's code of the error
MEANWHILE = "Somebody saved the same meanwhile."


def take_turn(table: str) -> None:
    """Until the transaction ends."""
    wait_for_turn(connection, FORMS, of=table)


class BesideOthers(admin.ModelAdmin):
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except IntegrityError as error:
            if not is_taken(error):
                raise
        # What was begun is taken back, and the form sees now what it could not see before.
        answer = super().changeform_view(request, *args, **kwargs)
        if answer.status_code == 200:
            self.message_user(request, MEANWHILE, messages.ERROR)
        return answer

    def _changeform_view(self, request: HttpRequest, *args: Any) -> HttpResponse:
        """Within Django's transaction."""
        if request.method == "POST":
            take_turn(self.opts.db_table)
        return super()._changeform_view(request, *args)  # type: ignore[misc]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """For a form that is sent: as it is once those are done who are writing it."""
        found = super().get_object(request, object_id, from_field)
        if found is None or request.method != "POST" or not connection.in_atomic_block:
            return found
        row = self.model._base_manager.filter(pk=found.pk).order_by()  # an order may join other tables
        list(row.select_for_update().values_list("pk"))
        return super().get_object(request, object_id, from_field)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm]:
        form = super().get_form(request, obj, change=change, **kwargs)
        return form if obj is None else type(form.__name__, (OfOneRow, form), {})


def is_taken(error: IntegrityError) -> bool:
    return getattr(error.__cause__, "sqlstate", "") == UNIQUE or "UNIQUE constraint" in str(error)
