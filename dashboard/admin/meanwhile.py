"""Two who save the same at the same moment: the later one gets the form back as it was typed, with words."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse

UNIQUE = "23505"  # PostgreSQL's code of the error
MEANWHILE = "Somebody saved the same meanwhile."


class SavedMeanwhile(admin.ModelAdmin):
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


def is_taken(error: IntegrityError) -> bool:
    return getattr(error.__cause__, "sqlstate", "") == UNIQUE or "UNIQUE constraint" in str(error)
