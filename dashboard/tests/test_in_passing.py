"""Files of costs and of hours leave as they are read, month by month, and say what the page's table says."""

from __future__ import annotations

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from itertools import product

import pytest
from django.db import connection
from django.db.models import F

from .. import exports, remembered
from ..models import CostSnapshot, Rate
from ..reports import spend
from ..views import costs
from .conftest import make_cost, make_job, make_usage
from .contracts import make_entry

pytestmark = pytest.mark.django_db
FILE = "/costs/?preset=all&_export=csv"


@pytest.fixture
def costly(as_of):
    """Costs of fourteen months with gaps, a credit, two spellings of a name, and what no bill tells."""
    as_of("2025-03-20 12:00")
    days = [date(2024, 1, 30) + timedelta(days=n * 9) for n in range(45)]
    for day, (provider, gpu_type) in product(days, [("AWS", "L4"), ("aws ", "L4"), ("GCP", "A10")]):
        usd = Decimal(day.toordinal() % 977) - Decimal("100.37")
        CostSnapshot.objects.create(date=day, provider=provider, gpu_type=gpu_type, cost_usd=usd)
    make_entry("2024-06-20", "2024-09-03", "1000.00", provider="colo")
    rate = {"per": Rate.Per.GPU_MONTH, "usd": Decimal("700.01"), "gpus": Decimal(3)}
    Rate.objects.create(provider="own", gpu_type="H100", first_day=date(2025, 1, 15), **rate)


def file_of(client, address: str) -> bytes:
    return b"".join(client.get(address).streaming_content)


@pytest.fixture
def used(costly):
    """And hours: of jobs before and beside them, one of which runs."""
    for day in ("2024-02-29", "2024-03-01", "2024-07-31", "2025-03-19"):
        make_usage(day, "30.25", gpu_type="L4")
    make_job("2023-12-30 12:00", "2024-01-02 06:00", gpu_type="L4")
    make_job("2024-07-31 20:00", "2024-08-01 03:00", provider="colo")
    make_job("2025-02-27 20:00", None, status="running", provider="GCP", gpu_type="A10")


@pytest.mark.parametrize("page", ["/costs/", "/usage/"])
@pytest.mark.parametrize("bucket", ["day", "week", "quarter"])
@pytest.mark.parametrize(
    "asked",
    ["", "&provider=AWS", "&gpu_type=H100&gpu_type=L4", "&basis=billed", "&start=2024-07-03&end=2025-02-11"],
)
def test_the_file_is_that_of_the_table(client, finance, used, page, bucket, asked):
    """Sorting by the day leaves the rows in the order they have, and takes them from the table."""
    client.force_login(finance)
    address = f"{page}?preset=all&_export=csv&bucket={bucket}{asked}"
    found = file_of(client, address)
    assert found.count(b"\n") > 4
    assert found == file_of(client, address + "&sort=day")


@pytest.fixture
def few_at_once(monkeypatch):
    monkeypatch.setattr(exports, "ROWS_AT_ONCE", 20)


def test_no_month_is_read_before_the_one_before_it_has_left(
    client, finance, costly, few_at_once, monkeypatch
):
    months = []
    ask = spend.costs

    def asked(scope, names):
        months.append(scope.span)
        return ask(scope, names)

    monkeypatch.setattr(costs.spend, "costs", asked)
    client.force_login(finance)
    pieces = iter(client.get(FILE).streaming_content)
    next(pieces)
    assert len(months) < 6
    assert b"".join(pieces)
    assert len(months) == 15 and all(span.length <= 31 for span in months)


def test_nothing_that_was_read_for_a_file_is_kept(client, finance, costly):
    client.force_login(finance)
    client.get("/costs/?start=2025-03-01&end=2025-03-31")
    kept = list(remembered.TOLD.months)
    assert kept
    file_of(client, FILE)
    assert list(remembered.TOLD.months) == kept


@pytest.mark.django_db(transaction=True)
def test_a_file_is_of_the_moment_at_which_it_began(client, finance, costly, few_at_once):
    client.force_login(finance)
    whole = file_of(client, FILE)
    pieces = iter(client.get(FILE).streaming_content)
    begun = next(pieces)
    with ThreadPoolExecutor(1) as somebody_else:
        somebody_else.submit(raise_all_costs).result()
    assert begun + b"".join(pieces) == whole
    assert file_of(client, FILE) != whole


def raise_all_costs() -> None:
    CostSnapshot.objects.update(cost_usd=F("cost_usd") + 1)
    connection.close()


def test_costs_of_no_calendar_are_in_the_file_too(client, finance, as_of):
    as_of("2025-03-31 12:00")
    make_cost("1907-03-01", "10.00")
    make_cost("2025-03-01", "20.00")
    client.force_login(finance)
    told = csv.reader(io.StringIO(file_of(client, FILE).decode("utf-8-sig"), newline=""))
    assert [row[0] for row in told] == ["date", "1907-03-01", "2025-03-01"]


def test_a_file_of_nothing_is_its_header(client, finance):
    client.force_login(finance)
    assert file_of(client, FILE) == "\ufeffdate,provider,gpu_type,cost_usd\r\n".encode()


@pytest.mark.parametrize("bucket", ["day", "month"])
def test_hours_of_today_are_in_the_file_where_the_last_cost_is_older(client, finance, as_of, bucket):
    as_of("2025-03-20 12:00")
    client.force_login(finance)
    make_cost("2025-02-27", 100, provider="AWS", gpu_type="L4")
    make_job("2025-03-20 06:00", None, status="running", provider="AWS", gpu_type="L4")
    address = f"/usage/?preset=all&bucket={bucket}&_export=csv"
    rows = list(csv.reader(io.StringIO(file_of(client, address).decode("utf-8-sig"))))
    sorted_by_day = b"".join(client.get(f"{address}&sort=day").streaming_content).decode("utf-8-sig")
    assert rows == list(csv.reader(io.StringIO(sorted_by_day)))
    assert len(rows) == 3 and Decimal(rows[2][4]) > 0
