"""A database that stands still: who waits for it is told, and one that only takes its time is waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.http import HttpResponse

from .. import edge
from ..databases import at_leisure
from ..trouble import frozen, outages
from .servers import private_postgresql, standing_still


@pytest.fixture(autouse=True)
def gone(monkeypatch: Any) -> outages.Gone:
    monkeypatch.setattr(outages, "gone", outages.Gone())
    return outages.gone


@pytest.fixture
def asked(monkeypatch: Any) -> list[float]:
    """When the database was asked whether it answers, which it did."""
    moments: list[float] = []
    monkeypatch.setattr(frozen, "LONG", 0.2)
    monkeypatch.setattr(frozen, "answers", lambda reached_by: moments.append(monotonic()) or True)
    return moments


@pytest.fixture
def watched() -> Iterator[psycopg.Connection[Any]]:
    with frozen.Watched.connect(**connection.get_connection_params()) as one:
        yield one


def test_who_serves_a_request_waits_for_no_database_that_stands_still(gone: Any) -> None:
    with private_postgresql().server() as server:
        with frozen.Watched.connect(server.url) as one, frozen.serving():
            assert one.execute("SELECT 1").fetchone() == (1,)
            began = monotonic()
            with standing_still(server), pytest.raises(psycopg.OperationalError, match="does not answer"):
                one.execute("SELECT 2")
            assert monotonic() - began < frozen.LONG + frozen.PATIENCE + 2
            assert one.closed and gone.is_known()
        with frozen.Watched.connect(server.url) as one, frozen.serving():
            assert one.execute("SELECT 3").fetchone() == (3,)


def test_one_that_takes_its_time_is_asked_and_waited_for(watched: Any, asked: list[float]) -> None:
    with frozen.serving():
        assert watched.execute("SELECT 7 FROM pg_sleep(0.8)").fetchone() == (7,)
    assert 2 <= len(asked) <= 4
    assert watched.execute("SELECT 8 FROM pg_sleep(0.4)").fetchone() == (8,), "no request waits"
    assert len(asked) <= 4


@pytest.mark.django_db(transaction=True)
def test_an_import_is_not_cut_off(watched: Any, asked: list[float]) -> None:
    with frozen.serving(), at_leisure():
        watched.execute("SELECT pg_sleep(0.6)")
    assert asked == []


@pytest.mark.parametrize("refused", [psycopg.OperationalError("too many clients"), None])
def test_whoever_says_no_answers(monkeypatch: Any, refused: Exception | None) -> None:
    def connect(**params: Any) -> Any:
        assert params["connect_timeout"] == frozen.PATIENCE
        if refused:
            raise refused
        return psycopg.Connection.connect(**connection.get_connection_params())

    monkeypatch.setattr(frozen.psycopg, "connect", connect)
    assert frozen.answers({"conninfo": "host=db.example.com"})


def test_every_request_is_served(rf: Any) -> None:
    ask: Callable[..., HttpResponse] = edge.wait_for_no_one_gone(
        lambda request: HttpResponse(str(frozen._serving.get()))
    )
    assert ask(rf.get("/")).content == b"True"
    assert not frozen._serving.get()
