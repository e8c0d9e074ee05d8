"""The audit of downloads: which of a page's files left, and how it was made."""

from __future__ import annotations

import pytest
from django.test import Client

from ..filters import VIEWED
from ..models import AuditEvent, Team
from .conftest import make_cost, make_job
from .test_closing_page import close

pytestmark = pytest.mark.django_db


def told(client: Client, path: str) -> str:
    """The details of the download."""
    mark = "&" if "?" in path else "?"
    answer = client.get(f"{path}{mark}_export=csv")
    assert answer.status_code == 200, path
    assert b"".join(answer.streaming_content)
    return AuditEvent.objects.filter(action="exported").latest("pk").details


SAID = {
    "/waste/?file=idle": "csv waste-idle: ",
    "/contracts/": "csv recovery: ",
    "/contracts/?file=entries": "csv period-entries: ",
    "/reconcile/": "csv invoices: ",
    "/reconcile/?view=match": "csv match: ",
    "/reconcile/?view=match&state=over-reported": "csv match_over-reported: ",
    "/reconcile/?view=gaps": "csv gaps: ",
    "/mappings/": "csv unmatched: everything",
    "/allocation/?by=model": "Rows by: model",
    "/allocation/?by=model&then_by=gpu_type": "and by: GPU type",
    "/allocation/?idle=evenly": "Idle cost: spread evenly",
    "/allocation/": "Idle cost: apart",
    "/allocation/?basis=billed": "Basis: billed",
    "/allocation/?bucket=month": "Per: month",
    "/costs/": "Basis: effective",
    "/costs/?bucket=week": "Per: week",
    "/bridge/?compare=last_year": "Compared with: same days last year",
    "/unit-prices/": "Per: month",
    "/forecast/?basis=billed": "Basis: billed",
    "/data-quality/?quality=no-end": "Check: ",
    "/budgets/?month=2025-02": "1–28 Feb 2025",
}


def test_the_file_and_how_it_was_made_are_told_in_the_words_of_the_page(admin_client, company):
    said = {path: told(admin_client, path) for path in SAID}
    assert {path: words for path, words in said.items() if SAID[path] not in words} == {}


PAGES: dict[str, list[dict[str, str]]] = {
    "/": [],
    "/costs/": [],
    "/usage/": [],
    "/allocation/": [],
    "/bridge/": [],
    "/unit-prices/": [],
    "/anomalies/": [],
    "/forecast/": [],
    "/budgets/": [{"month": "2025-02"}],
    "/contracts/": [{"file": "entries"}],
    "/waste/": [{"file": name} for name in ("runs", "idle", "stuck")],
    "/jobs/": [{"quality": "no-end"}, {"q": "bert"}, {"status": "failed"}],
    "/jobs/running/": [{"provider": "AWS"}],
    "/teams/": [{"team": "{team}"}, {"preset": "last7"}],
    "/teams/{team}/": [{"model": "bert-base"}],
    "/teams/{team}/statement/": [{"month": "2025-02"}],
    "/reconcile/": [{"view": "match"}, {"view": "match", "state": "over-reported"}, {"view": "gaps"}],
    "/data-quality/": [{"quality": "no-end"}],
}
OTHERWISE = {
    "bucket": ["week", "month"],
    "group_by": ["gpu_type"],
    "basis": ["billed"],
    "by": ["model"],
    "then_by": ["provider"],
    "idle": ["by_use", "evenly"],
    "compare": ["last_month", "last_year"],
}


@pytest.mark.parametrize("address", PAGES)
def test_two_files_that_differ_are_not_told_by_the_same_words(admin_client, company, address):
    """Whatever parameter of the page makes them differ."""
    team = str(Team.objects.get(name="vision").pk)
    path = address.format(team=team)
    offered = admin_client.get(path).context["form"].fields
    asked = [{name: value} for name in VIEWED if name in offered for value in OTHERWISE[name]]
    by_words: dict[str, bytes] = {}
    for one in [{}, *PAGES[address], *asked]:
        given = {name: value.format(team=team) for name, value in one.items()}
        file = b"".join(admin_client.get(path, given | {"_export": "csv"}).streaming_content)
        said = AuditEvent.objects.filter(action="exported").latest("pk").details
        assert by_words.setdefault(said, file) == file, f"{path}{given}: {said}"


@pytest.fixture
def march(db, as_of):
    """$100 and one job of vision in a month that is over."""
    as_of("2025-05-10 12:00")
    make_cost("2025-03-01", "100.00")
    make_job()


def test_the_journal_and_what_changed_since_are_told_apart(admin_client, march):
    close(admin_client, "/closing/2025/3/?basis=billed&idle=evenly", "0")
    make_cost("2025-03-31", "44.00")
    path = "/closing/2025/3/"
    journal, restated = told(admin_client, path), told(admin_client, f"{path}?file=restated&basis=effective")
    assert journal.startswith("csv journal_2025-03: ") and restated.startswith("csv restated_2025-03: ")
    for said in (journal, restated):
        assert "Basis: billed" in said and "Idle cost: spread evenly" in said, "by which it was closed"


def test_a_closed_statement_and_what_it_comes_to_now_are_told_apart(admin_client, march):
    close(admin_client, "/closing/2025/3/", "0")
    path = f"/teams/{Team.objects.get(name='vision').pk}/statement/?month=2025-03"
    assert told(admin_client, path) != told(admin_client, f"{path}&as=now")
