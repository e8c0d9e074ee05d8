"""The answers for those who watch over the service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from django.contrib.auth.decorators import login_not_required
from django.db import Error, connection, connections
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from .. import applied, workers
from ..rollups import triggers

SAFE = frozenset({"GET", "HEAD"})
PATIENCE = 2.0  # seconds
NO_ANSWER = "the database does not answer"


@require_safe
@never_cache
@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. It asks no database: a frozen one is no reason to restart this."""
    return plain("ok")


@require_safe
@never_cache
@login_not_required
def readyz(request: HttpRequest) -> HttpResponse:
    trouble = asked_aside(troubles)
    return plain("\n".join(trouble), 503) if trouble else plain("ok")


def answer_probes(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable:
    """Middleware, before all that asks the database who somebody is."""
    probes = {"/healthz": healthz, "/readyz": readyz}

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.method in SAFE and request.path in probes:
            return probes[request.path](request)
        return get_response(request)

    return middleware


def troubles() -> list[str]:
    try:
        return list(found())
    except Error:
        return [NO_ANSWER]


def found() -> Iterator[str]:
    if lacking := applied.lacking_in_words():
        yield lacking
        return
    if not (triggers.are_there(connection) or workers.hold_jobs(connection)):
        yield "the triggers that keep the roll-ups are missing"


class Aside:
    """Asks in a thread of its own: a frozen server answers no time limit, and would keep the asking one."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.thread: ThreadPoolExecutor | None = None
        self.asked: Future[list[str]] | None = None

    def __call__(self, ask: Callable[[], list[str]]) -> list[str]:
        with self.lock:
            self.thread = self.thread or ThreadPoolExecutor(1, "readyz")
            if self.asked is None or self.asked.done():
                self.asked = self.thread.submit(on_its_own_connection, ask)
            asked = self.asked
        try:
            return asked.result(PATIENCE)
        except TimeoutError:
            return [NO_ANSWER]


def on_its_own_connection(ask: Callable[[], list[str]]) -> list[str]:
    try:
        return ask()
    finally:
        connections.close_all()


asked_aside = Aside()


def plain(text: str, status: int = 200) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
