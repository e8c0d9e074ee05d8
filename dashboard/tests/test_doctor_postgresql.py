"""What manage.py doctor sees of a PostgreSQL that is set up otherwise."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from .. import doctor
from .servers import connected_to
from .test_ingest_kills import address

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("locale", "level"),
    [("LOCALE 'C'", "ok"), ("LOCALE 'C.UTF-8'", "ok"), ("LOCALE_PROVIDER icu ICU_LOCALE 'en-US'", "look")],
)
def test_names_that_come_in_the_order_of_a_language_are_told(locale, level):
    name = "sorted_otherwise"
    with psycopg.connect(address(), autocommit=True) as server:
        server.execute(SQL("CREATE DATABASE {} TEMPLATE template0 " + locale).format(Identifier(name)))
        try:
            with connected_to(default=f"{address().rpartition('/')[0]}/{name}"):
                assert doctor.sorting().level == level
        finally:
            server.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
