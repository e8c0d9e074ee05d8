"""Ten random tables of a million costs: what pages and files add up to, against SQL in integer cents."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from uuid import UUID

from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.utils.html import strip_tags

from dashboard.tests.conftest import make_user
from dashboard.tests.questions import of_chart
from dashboard.tests.servers import connected_to, new_database

from . import Outcome

TABLES, ROWS = int(os.environ.get("TABLES", 10)), int(os.environ.get("BILL_ROWS", 1_000_000))
MOST = 999_999_999_999  # cents in a column of twelve digits
CELLS_A_DAY = 1000
START = date(2023, 1, 1)
COLUMNS = "id, date, provider, gpu_type, cost_usd"
IN_CENTS = "SELECT {key}, SUM(CAST(ROUND(cost_usd * 100) AS bigint)) FROM cost_snapshots GROUP BY 1"
Sums = dict[str, int]
# What a row of a table may come to: pennies, the usual, credits, and all that the column holds.
AMOUNTS: tuple[Callable[[Random], int], ...] = (
    lambda random: random.randrange(100),
    lambda random: random.randrange(10_000_000),
    lambda random: -random.randrange(1_000_000),
    lambda random: random.randrange(-MOST, MOST + 1),
)
BY = {"provider": "provider", "gpu_type": "gpu_type", "month": "substr(CAST(date AS text), 1, 7)"}


def drill() -> Outcome:
    wrong, cents = [], 0
    with TemporaryDirectory() as folder, new_database(Path(folder)) as url, connected_to(default=url):
        call_command("migrate", verbosity=0)
        client = Client(headers={"host": "localhost"})
        client.force_login(make_user("fiona", "Finance"))
        for table in range(TABLES):
            written = fill(Random(table))
            wrong += [f"table {table}: {what}" for what in differences(client, written, table == 0)]
            cents += sum(written["provider"].values())
    print("\n".join(wrong))
    figure = (
        f"{TABLES} tables of {ROWS:,} rows, {Decimal(cents).scaleb(-2):,} USD in all: {len(wrong)} sums by "
        "provider, GPU type or month differ between what was written, SQL, page, chart and files"
    )
    return Outcome(not wrong, figure)


def fill(random: Random) -> dict[str, Sums]:
    """In place of what was there; the cents that were written, added up in Python."""
    kinds = random.sample(AMOUNTS, k=random.randint(1, len(AMOUNTS)))
    providers = [f"provider {n:02}" for n in range(random.choice([10, 20, 40]))]
    gpu_types = [f"GPU {n:03}" for n in range(CELLS_A_DAY // len(providers))]
    days = [START + timedelta(days=n) for n in range(ROWS // CELLS_A_DAY)]
    sums: dict[str, Counter[str]] = {by: Counter() for by in BY}

    def rows() -> Iterator[tuple[str, str, str, str, str]]:
        for day, provider, gpu_type in product(map(str, days), providers, gpu_types):
            cents = random.choice(kinds)(random)
            sums["provider"][provider] += cents
            sums["gpu_type"][gpu_type] += cents
            sums["month"][day[:7]] += cents
            sign, (dollars, rest) = "-" * (cents < 0), divmod(abs(cents), 100)
            yield UUID(int=random.getrandbits(128)).hex, day, provider, gpu_type, f"{sign}{dollars}.{rest:02}"

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM cost_snapshots")
        if connection.vendor == "postgresql":
            with cursor.cursor.copy(f"COPY cost_snapshots ({COLUMNS}) FROM STDIN") as copy:
                for row in rows():
                    copy.write_row(row)
        else:
            cursor.executemany(f"INSERT INTO cost_snapshots ({COLUMNS}) VALUES (%s, %s, %s, %s, %s)", rows())
        cursor.execute("ANALYZE")
    return {by: dict(of) for by, of in sums.items()}


def differences(client: Client, written: dict[str, Sums], everywhere: bool) -> Iterator[str]:
    """everywhere: also the pages that share the cost out, which take minutes for so many cells."""
    of_file = in_file(client)
    for by, of in written.items():
        for whose, sums in {"SQL": in_sql(BY[by]), "file of cost": of_file[by]}.items():
            if sums != of:
                yield f"by {by}, {whose}: {len(sums.items() ^ of.items())} of {len(of)} differ"
    total = Decimal(sum(written["provider"].values())).scaleb(-2)
    for where, found in totals(client, total, everywhere):
        if found != total:
            yield f"{where}: {found}, written were {total}"


def in_sql(key: str) -> Sums:
    with connection.cursor() as cursor:
        cursor.execute(IN_CENTS.format(key=key))
        return {key: int(cents) for key, cents in cursor.fetchall()}


def in_file(client: Client) -> dict[str, Sums]:
    sums: dict[str, Counter[str]] = {by: Counter() for by in BY}
    for row in file(client, "/costs/", bucket="month"):
        cents = in_cents(row["cost_usd"])
        for by, key in {**row, "month": row["date"][:7]}.items():
            if by in BY:
                sums[by][key] += cents
    return {by: dict(of) for by, of in sums.items()}


def totals(client: Client, total: Decimal, everywhere: bool) -> Iterator[tuple[str, Decimal]]:
    """By where they are told. Nobody ran a job, so that all is idle."""
    shown = f"{'−' if total < 0 else ''}${abs(total):,}"
    for path in ("/costs/", "/", "/allocation/") if everywhere else ("/costs/",):
        page = client.get(path, {"preset": "all", "bucket": "month"})
        yield f"page {path}", total if shown in page.content.decode() else Decimal("NaN")
        if path == "/costs/":
            yield "chart of cost", of_chart(page, "usd")
    if everywhere:
        cents = sum(in_cents(row["cost_usd"]) for row in file(client, "/allocation/"))
        yield "file of allocation", Decimal(cents).scaleb(-2)


def file(client: Client, path: str, **asked: str) -> Iterator[dict[str, str]]:
    answer = client.get(path, asked | {"preset": "all", "_export": "csv"})
    assert answer.status_code == 200 and answer.streaming, strip_tags(answer.content.decode())[-2000:]
    text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    return csv.DictReader(io.StringIO(text, newline=""))


def in_cents(text: str) -> int:
    return int(Decimal(text).scaleb(2))
