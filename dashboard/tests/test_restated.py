"""What imports and edits change of a closed month: by whom, by how much, and that it adds up."""

from __future__ import annotations

import csv
from contextlib import suppress
from datetime import date
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import audit
from dashboard.closing import close_month, withdraw
from dashboard.models import (
    AuditEvent,
    ClosedLine,
    CostSnapshot,
    ImportRun,
    Job,
    MonthClose,
    Restatement,
    Team,
    UsageSnapshot,
)
from dashboard.models.closing import Closed
from dashboard.naming import Names
from dashboard.reports.closing import Expected
from dashboard.reports.restated import restated
from dashboard.restating import restating

from .conftest import examples, make_cost, make_job, make_usage

MARCH = date(2025, 3, 1)
COSTS = "/admin/dashboard/costsnapshot/"
REFUND = "date,provider,gpu_type,cost_usd\n2025-03-01,AWS,L4,-50.00\n"


@pytest.fixture(autouse=True)
def in_may(db, as_of):
    """$100 for 10 metered hours on 1 March: vision used 6, speech 2."""
    as_of("2025-05-10 12:00")
    make_cost("2025-03-01", "100.00")
    make_usage("2025-03-01", "10.00")
    make_job("2025-03-01 08:00", "2025-03-01 11:00", gpu_count=2)
    make_job("2025-03-01 09:00", "2025-03-01 11:00", team="speech")


@pytest.fixture
def close(admin) -> MonthClose:
    return close_month(MARCH, admin, "effective", "apart")


@pytest.fixture
def adas(client, admin):
    client.force_login(admin)
    return client


def told(close: MonthClose) -> list[tuple]:
    """Of each move: who, what and how much, and its parts."""
    moves = restated(close, Names.load()).moves
    return [(move.who, move.what, move.usd, [(part.name, part.usd) for part in move.parts]) for move in moves]


def retype(client, cost: CostSnapshot, usd: str):
    facts = {"date": cost.date, "provider": cost.provider, "gpu_type": cost.gpu_type, "cost_usd": usd}
    return client.post(f"{COSTS}{cost.pk}/change/", facts)


def upload(client, text: str) -> ImportRun:
    answer = client.post("/imports/", {"files": SimpleUploadedFile("refund.csv", text.encode())})
    client.post(answer["Location"], {"do": "confirm"})
    return ImportRun.objects.latest("pk")


def test_an_edit_is_told_by_whom_and_by_how_much(adas, close):
    """$20 more on ten hours: 12 of vision's six, 4 of speech's two, 4 idle."""
    retype(adas, CostSnapshot.objects.get(), "120.00")
    [(who, what, usd, parts)] = told(close)
    assert (who, usd) == ("ada", 20)
    assert "100 → 120" in what
    assert parts == [("vision", 12), ("(idle)", 4), ("speech", 4)]


def test_each_of_several_is_told_apart(adas, close):
    upload(adas, REFUND)
    retype(adas, CostSnapshot.objects.get(gpu_type="A100-80GB"), "90.00")
    found = restated(close, Names.load())
    assert [(move.what.split()[0], move.usd) for move in found.moves] == [("imported", -50), ("changed", -10)]
    assert (found.usd, found.elsewhere, found.waiting_usd) == (-60, 0, -60)


def test_an_import_and_its_undo_come_to_nothing(adas, close):
    run = upload(adas, REFUND)
    adas.post(reverse("import_undo", args=[run.pk]))
    found = restated(close, Names.load())
    assert [move.usd for move in found.moves] == [-50, 50]
    assert (found.usd, found.elsewhere, found.waiting) == (0, 0, [])


def test_commands_are_told_too(close, tmp_path):
    file = tmp_path / "refund.csv"
    file.write_text(REFUND)
    call_command("ingest", str(file), verbosity=0)
    call_command("undo_import", str(ImportRun.objects.get().pk))
    assert [(usd, parts) for _, _, usd, parts in told(close)] == [
        (-50, [("(unallocated)", -50)]),
        (50, [("(unallocated)", 50)]),
    ]


def test_a_dry_run_and_an_edit_of_another_month_tell_nothing(adas, close, tmp_path):
    file = tmp_path / "refund.csv"
    file.write_text(REFUND)
    call_command("ingest", str(file), "--dry-run", verbosity=0)
    retype(adas, make_cost("2025-04-01", "10.00"), "20.00")
    assert not Restatement.objects.exists()


def test_a_refused_edit_tells_nothing(adas, close):
    assert "errors" in retype(adas, CostSnapshot.objects.get(), "much").content.decode()
    assert not Restatement.objects.exists()


def test_a_job_that_changes_teams_moves_dollars_between_them(adas, close):
    with restating():
        Job.objects.filter(team__name="speech").update(team=Team.objects.get(name="vision"))
        audit.record("changed", "job", "team: speech → vision")
    [(_, _, usd, parts)] = told(close)
    assert usd == 0
    assert parts == [("speech", -20), ("vision", 20)]


def test_a_team_that_is_gone_keeps_the_name_it_was_closed_with(adas, close):
    with restating():
        Team.objects.get(name="speech").delete()
        audit.record("deleted", "team speech")
    [(_, _, _, parts)] = told(close)
    assert parts == [("(idle)", 20), ("speech", -20)]


def test_what_another_program_writes_is_told_apart_from_edits(adas, close):
    make_cost("2025-03-01", "-5.00", gpu_type="L4")
    retype(adas, CostSnapshot.objects.get(gpu_type="A100-80GB"), "101.00")
    make_cost("2025-03-02", "-2.00", gpu_type="L4")
    found = restated(close, Names.load())
    assert ([move.usd for move in found.moves], found.elsewhere, found.usd) == ([1], -7, -6)


def test_what_was_expected_and_what_stands_on_later_statements_is_taken_off(adas, admin):
    """$900 expected, $1,000 billed: 100 of it stands on April, and 7 more comes after."""
    march = close_month(MARCH, admin, "effective", "apart", [Expected("GCP", "L4", 900_00)])
    upload(adas, "date,provider,gpu_type,cost_usd\n2025-03-31,GCP,L4,1000.00\n")
    close_month(date(2025, 4, 1), admin, "effective", "apart")
    upload(adas, "date,provider,gpu_type,cost_usd\n2025-03-31,GCP,L40S,7.00\n")
    found = restated(march, Names.load())
    assert (found.usd, found.accrued, found.carried, found.waiting_usd) == (1007, 900, 100, 7)
    assert [move.usd for move in found.moves] == [1000, 7]


def test_a_close_done_anew_begins_with_nothing(adas, admin, close):
    retype(adas, CostSnapshot.objects.get(), "120.00")
    withdraw(close, admin, "late bill")
    again = close_month(MARCH, admin, "effective", "apart")
    assert not restated(again, Names.load())
    assert len(told(close)) == 1


def test_pruning_the_audit_leaves_it(adas, close, as_of):
    retype(adas, CostSnapshot.objects.get(), "120.00")
    AuditEvent.objects.prune(as_of("2027-01-01 00:00"))
    assert [usd for _, _, usd, _ in told(close)] == [20]


def test_it_is_neither_changed_nor_deleted(adas, close):
    retype(adas, CostSnapshot.objects.get(), "120.00")
    with pytest.raises(Closed):
        Restatement.objects.update(cents=0)
    with pytest.raises(Closed):
        Restatement.objects.first().delete()


def test_without_a_closed_month_nothing_is_looked_at(adas, django_assert_num_queries):
    with django_assert_num_queries(1), restating():
        pass


def test_the_page_shows_it_and_gives_it_as_a_file(adas, close):
    upload(adas, REFUND)
    make_cost("2025-03-02", "-2.00", gpu_type="L4")
    page = adas.get("/closing/2025/3/").content.decode()
    assert "imported Import" in page and "−$50.00" in page and "−$52.00" in page
    answer = adas.get("/closing/2025/3/?file=restated&_export=csv")
    rows = list(csv.DictReader(b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()))
    assert [(row["who"], row["team"], row["usd"]) for row in rows] == [
        ("ada", "(unallocated)", "-50.00"),
        ("", "", "-2.00"),
    ]


# Whatever is done

EDITS = st.lists(
    st.tuples(
        st.sampled_from(["cost", "usage", "job", "gone", "import", "undo", "elsewhere"]),
        st.integers(1, 28),
        st.integers(-500, 5000),
        st.sampled_from(["vision", "speech"]),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=examples(8))
@given(edits=EDITS, idle=st.sampled_from(["apart", "by_use"]))
def test_moves_and_what_another_program_wrote_add_up_to_what_came_since(admin, tmp_path, edits, idle):
    for before in MonthClose.objects.filter(withdrawn_at=None):
        withdraw(before, admin, "of another example")
    close = close_month(MARCH, admin, "effective", idle)
    frozen = list(ClosedLine.objects.filter(close=close).values())
    for n, (what, day, number, team) in enumerate(edits):
        edit(f"2025-03-{day:02}", what, number, team, tmp_path / f"{n}.csv")
        found = restated(close, Names.load())
        assert sum(move.usd for move in found.moves) + found.elsewhere == found.usd == found.waiting_usd
        assert list(ClosedLine.objects.filter(close=close).values()) == frozen
    if not any(what == "elsewhere" for what, *_ in edits):
        assert found.elsewhere == 0


def edit(day: str, what: str, number: int, team: str, file) -> None:
    usd = Decimal(number) / 100
    if what == "elsewhere":
        CostSnapshot.objects.update_or_create(
            date=day, provider="AWS", gpu_type="H100", defaults={"cost_usd": usd}
        )
    elif what == "import":
        file.write_text(f"date,provider,gpu_type,cost_usd\n{day},GCP,L4,{usd}\n")
        call_command("ingest", str(file), "--on-conflict", "replace", verbosity=0)
    elif what == "undo" and (run := ImportRun.objects.filter(status="committed").last()):
        with suppress(SystemExit):  # where something was written over it
            call_command("undo_import", str(run.pk))
    else:
        with restating():
            by_hand(day, what, number, team)
            audit.record("changed", what)


def by_hand(day: str, what: str, number: int, team: str) -> None:
    if what == "cost":
        cell = {"date": day, "provider": "AWS", "gpu_type": "A100-80GB"}
        CostSnapshot.objects.update_or_create(**cell, defaults={"cost_usd": Decimal(number) / 100})
    elif what == "usage":
        cell = {"date": day, "provider": "AWS", "gpu_type": "A100-80GB"}
        UsageSnapshot.objects.update_or_create(**cell, defaults={"gpu_hours": Decimal(abs(number) % 50)})
    elif what == "job":
        make_job(f"{day} 01:00", f"{day} {2 + abs(number) % 20:02}:00", team=team)
    elif what == "gone":
        Job.objects.filter(team__name=team).delete()
