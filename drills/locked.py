"""Somebody holds a table, and then a row, for half a minute: whoever needs it is told so within 5 s."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic

import psycopg

from dashboard.models import Team
from dashboard.tests.conftest import make_job
from dashboard.tests.servers import connected_to, private_postgresql

from . import Outcome
from .serving import Answer, ask, signed_in, web_server

HELD = 30  # seconds


def drill() -> Outcome:
    with private_postgresql().server() as database, web_server(database.url) as port:
        cookie = signed_in(database.url)
        with connected_to(default=database.url):
            make_job()
            team = Team.objects.get()
        form, page = f"/admin/dashboard/team/{team.pk}/change/", "/jobs/"
        with held(database.url, "LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE"):
            pages = asked_meanwhile(port, [page] * 4, cookie)
        with held(database.url, f"SELECT 1 FROM teams WHERE id = '{team.pk}' FOR UPDATE"):
            forms = asked_meanwhile(port, [form] * 2, cookie, {"name": "another", "_save": ""})
            others = [ask(port, page, cookie) for _ in range(10)]
        after = [ask(port, page, cookie), ask(port, form, cookie, {"name": "another", "_save": ""})]
    refused = [*pages, *forms]
    right = sum(one.status == 503 and one.seconds < 5 and b"the same rows" in one.body for one in refused)
    went_on = sum(one.status == 200 and one.seconds < 2 for one in others)
    figure = (
        f"{right} of {len(refused)} that needed what was held got a 503 in words within 5 s, the longest "
        f"took {max(one.seconds for one in refused):.1f} s; {went_on} of {len(others)} others went on; "
        f"afterwards {', '.join(str(one.status) for one in after)}"
    )
    return Outcome(
        right == len(refused) and went_on == 10 and [a.status for a in after] == [200, 302], figure
    )


@contextmanager
def held(url: str, sql: str) -> Iterator[None]:
    with psycopg.connect(url) as holder:
        holder.execute(sql)
        yield


def asked_meanwhile(
    port: int, paths: list[str], cookie: str, form: dict[str, str] | None = None
) -> list[Answer]:
    """Again and again, by several at once, for as long as the lock is held."""
    until, answers = monotonic() + HELD, []
    with ThreadPoolExecutor(len(paths)) as people:
        while monotonic() < until:
            answers += people.map(lambda path: ask(port, path, cookie, form), paths)
    return answers
