"""An import rests while others wait for the processor, and what comes of it is the same."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from dashboard import rollups, workers
from dashboard.ingest import giving_way, jobs
from dashboard.ingest.giving_way import GivingWay
from dashboard.ingest.load import Source, load
from dashboard.models import Job
from dashboard.rollups import settling


class Processor:
    """Time passes by sleeping and working; of a share of it somebody waits."""

    def __init__(self, share: float) -> None:
        self.now, self.waiting, self.share = 1000.0, 500.0, share

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        self.waiting += seconds * self.share


@pytest.fixture
def processor(monkeypatch: Any, settings: Any) -> Any:
    settings.HELIOX_IMPORT_RESTS = 4

    def of(share: float) -> Processor:
        it = Processor(share)
        monkeypatch.setattr(giving_way, "monotonic", lambda: it.now)
        monkeypatch.setattr(giving_way, "sleep", it.pass_by)
        monkeypatch.setattr(giving_way, "waited", lambda: (it.waiting,))
        return it

    return of


def rested(way: GivingWay, processor: Processor, worked: float) -> float:
    processor.pass_by(worked)
    before = processor.now
    way.rest()
    return processor.now - before


def one_writes_at_a_time() -> bool:
    return connection.vendor == "sqlite" or workers.hold_jobs(connection)


def test_nobody_rests_on_a_quiet_machine(processor: Any) -> None:
    quiet = processor(0.1)
    assert rested(GivingWay(), quiet, worked=3) == 0


def test_a_crowd_is_given_four_times_what_was_taken(processor: Any) -> None:
    crowd = processor(0.9)
    way = GivingWay()
    assert rested(way, crowd, worked=1) == pytest.approx(4, abs=giving_way.GLANCE)
    assert rested(way, crowd, worked=0.5) == pytest.approx(2, abs=giving_way.GLANCE)


def test_work_goes_on_as_soon_as_nobody_waits(processor: Any, monkeypatch: Any) -> None:
    crowd = processor(0.9)

    def leaves(seconds: float) -> None:
        crowd.share = 0.9 if crowd.now < 1002 else 0.0
        crowd.pass_by(seconds)

    monkeypatch.setattr(giving_way, "sleep", leaves)
    assert rested(GivingWay(), crowd, worked=1) == pytest.approx(1, abs=2 * giving_way.GLANCE)


def test_who_waited_long_for_another_import_does_not_rest_as_long(processor: Any) -> None:
    crowd = processor(0.9)
    rest = rested(GivingWay(), crowd, worked=600)
    assert rest == pytest.approx(giving_way.LONGEST, abs=2 * giving_way.GLANCE)


def test_an_operator_can_forbid_it(processor: Any, settings: Any) -> None:
    crowd, settings.HELIOX_IMPORT_RESTS = processor(1.0), 0
    assert rested(GivingWay(), crowd, worked=2) == 0
    settings.HELIOX_IMPORT_RESTS = 1
    assert rested(GivingWay(), crowd, worked=2) == pytest.approx(2, abs=giving_way.GLANCE)


@pytest.mark.django_db(transaction=True)
def test_nobody_is_kept_from_writing(processor: Any) -> None:
    """On SQLite a transaction keeps all others waiting, and so it does where workers hold the jobs."""
    crowd, way = processor(0.9), GivingWay()
    with transaction.atomic():
        assert (rested(way, crowd, worked=1) == 0) == one_writes_at_a_time()
    assert rested(way, crowd, worked=1) > 3


SOME = "some avg10=1.50 avg60=0.00 avg300=0.00 total={}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"


@pytest.mark.parametrize(
    "said", [None, "", "some avg10=0.00 avg60=0.00 avg300=0.00\n", "nonsense total=99\n"]
)
def test_a_machine_that_does_not_tell_lets_nobody_rest(
    said: str | None, monkeypatch: Any, tmp_path: Path
) -> None:
    file = tmp_path / "cpu"
    if said is not None:
        file.write_text(said)
    monkeypatch.setattr(giving_way, "PRESSURE", (file,))
    assert giving_way.waited() == (0,)
    assert not giving_way.is_crowded((0.0,), 1)


def test_it_is_crowded_where_the_container_or_the_machine_is(monkeypatch: Any, tmp_path: Path) -> None:
    container, machine = tmp_path / "container", tmp_path / "machine"
    monkeypatch.setattr(giving_way, "PRESSURE", (container, machine))
    machine.write_text(SOME.format(3_000_000))
    assert giving_way.waited() == (0, 3)
    assert giving_way.is_crowded((0.0, 2.5), 1) and not giving_way.is_crowded((0.0, 2.9), 1)
    container.write_text(SOME.format(1_500_000))
    assert giving_way.waited() == (1.5, 3)
    assert giving_way.is_crowded((1.0, 3.0), 1) and not giving_way.is_crowded((1.4, 3.0), 1)


HEAD = "job_id,team,model_name,provider,gpu_type,gpu_count,status,start_time,end_time\n"


def lines(gpus: int, numbers: range) -> str:
    """Jobs of two hours."""
    days = ((n, f"2025-03-{n % 28 + 1:02}") for n in numbers)
    return "".join(
        f"j-{n},vision,resnet,AWS,L4,{gpus},completed,{day}T00:00:00Z,{day}T02:00:00Z\n" for n, day in days
    )


@pytest.mark.django_db
def test_a_file_in_many_pieces_is_what_it_is_in_one(monkeypatch: Any, tmp_path: Path) -> None:
    """Some of it is stored already, changed or not; the triggers note each piece."""
    file = tmp_path / "jobs.csv"
    file.write_text(HEAD + lines(1, range(300)))
    load([Source(file.name, file)])
    written: list[str] = []
    heard: list[tuple[str, int, int]] = []

    def seen(execute: Any, sql: str, *rest: Any) -> Any:
        written.extend([sql] if sql.startswith("INSERT INTO jobs ") else [])
        return execute(sql, *rest)

    monkeypatch.setattr(jobs, "WRITTEN_AT_ONCE", 1)
    monkeypatch.setattr(jobs, "SUMMED_AT_ONCE", 2)
    monkeypatch.setattr(settling, "SETTLED_AT_ONCE", 1)
    rests = []
    monkeypatch.setattr(GivingWay, "rest", lambda way: rests.append(way))
    file.write_text(HEAD + lines(1, range(100)) + lines(3, range(100, 300)) + lines(2, range(300, 900)))
    with connection.execute_wrapper(seen):
        summary = load([Source(file.name, file)], progress=lambda *told: heard.append(told))
    size = file.stat().st_size
    assert [told for told in heard if told[0] == "Reading"][-1] == ("Reading", size, size)
    assert [told for told in heard if told[0] == "Writing"] == [
        ("Writing", done, len(written)) for done in range(1, len(written) + 1)
    ]
    assert (summary.inserted, summary.updated, summary.unchanged) == (600, 200, 100)
    assert len(written) == 1 if one_writes_at_a_time() else len(written) > 10
    assert len(rests) > len(written), "after each piece that is read, summed, written and settled"
    assert Job.objects.count() == 900
    assert not list(rollups.verify())
    hours = Decimal(2 * (100 * 1 + 200 * 3 + 600 * 2))
    assert Decimal(summary.months["job_gpu_hours"]["2025-03"]["after"]) == hours
