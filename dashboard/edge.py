"""Requests that no page could read are refused before one tries."""

from __future__ import annotations

from collections.abc import Callable
from threading import BoundedSemaphore
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from . import overfull
from .access import may_export, may_import
from .databases import SAFE, Unhurried, reading
from .exports import FORMATS
from .trouble import frozen, outages
from .views.errors import unavailable

MEGABYTE = 1024**2
LARGEST_FORM = 3 * MEGABYTE  # a form without files; Django itself reads 2.5 MB of it


def refuse_unreadable(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable:
    def middleware(request: HttpRequest) -> HttpResponse:
        if is_readable(request):
            return get_response(request)
        if too_much := overfull.chosen_too_often(request):
            return render(request, "400_overfull.html", too_much, status=400)
        return render(request, "400.html", status=400)

    return middleware


def is_readable(request: HttpRequest) -> bool:
    """PostgreSQL stores no NUL and looks for none; the lengths are far beyond what a person asks for."""
    if len(request.META.get("QUERY_STRING", "")) > overfull.LONGEST_QUERY or "\0" in request.path:
        return False
    if any("\0" in cookie for cookie in request.COOKIES.values()):  # spelled in octal digits within quotes
        return False
    return overfull.fits(request.GET)


def wait_for_no_one_gone(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable:
    """Middleware: while the database is known to be gone, threads are not spent on waiting for it."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if outages.gone.is_known():
            return unavailable(request, outages.OTHERWISE)
        with frozen.serving():
            response = get_response(request)
        if connection.connection is not None and response.status_code != 503:
            outages.gone.is_over()
        return response

    return middleware


class LimitBodies:
    """Who may not import sends no large bodies, nobody larger ones than HELIOX_UPLOAD_MB or in chunks.

    Django reads no body without a length: a file that came so would seem to be empty.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        if request.META.get("HTTP_TRANSFER_ENCODING"):
            return render(request, "411.html", status=411)
        size = announced(request.META.get("CONTENT_LENGTH", ""))
        if size <= LARGEST_FORM:
            return None
        largest = settings.HELIOX_UPLOAD_MB * MEGABYTE + LARGEST_FORM
        if may_import(request.user) and size <= largest:
            return None
        return render(request, "413.html", {"most_mb": settings.HELIOX_UPLOAD_MB}, status=413)


def announced(length: str) -> int:
    """The bytes that Django would read of a body: none of one that does not say how long it is."""
    try:
        return int(length)
    except ValueError:
        return 0


class LimitFiles:
    """Downloads take some of the threads: a reader may take his for hours, and pages need the others.

    In each process HELIOX_FILES_AT_ONCE files are on their way out at most; who comes then is asked to
    come again.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.places = BoundedSemaphore(settings.HELIOX_FILES_AT_ONCE)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.GET.get("_export") or not request.user.is_authenticated:
            return self.get_response(request)
        if not self.places.acquire(blocking=False):
            return unavailable(request, "as many files as it can give are being downloaded already")
        response = self.get_response(request)
        # Servers close an answer when it has left, and when the reader goes away.
        response._resource_closers.append(self.places.release)  # type: ignore[attr-defined]
        return response


class FilesAtLeisure:
    """What a file is made of may take longer than a page: its queries have no limit of time on PostgreSQL.

    Behind ReadFromReplica, which chooses what they are asked of. LimitFiles keeps the number of threads small
    that are held so.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if unhurried := getattr(request, "unhurried", None):
            response._resource_closers.append(unhurried.end)  # type: ignore[attr-defined]
        return response

    def process_view(self, request: HttpRequest, *view: Any) -> None:
        if request.method in SAFE and request.GET.get("_export") in FORMATS and may_export(request.user):
            request.unhurried = Unhurried()  # type: ignore[attr-defined]
            request.unhurried.add(reading())  # type: ignore[attr-defined]
