"""The list of jobs: every row once, in order, in both directions; and no plan that reads the whole log."""

from __future__ import annotations

import base64
import json
import re
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import joblist, rollups
from dashboard.joblist import stretches
from dashboard.joblist.paging import BadCursor, Cursor, Order, Place, keyset_page
from dashboard.models import Job
from dashboard.models.calendar import midnight
from dashboard.naming import Names
from dashboard.rollups import Picked
from dashboard.scope import Span

from .conftest import at, examples, make_job, make_team

NOW = at("2025-03-31 12:00")
SORTS = [way + name for name in joblist.SORTS for way in ("", "-")]
STATUSES = ("completed", "failed", "running", "pending", "odd")


def page(sort, place, size=7, jobs=None, span=None):
    jobs = Job.objects.all() if jobs is None else jobs
    rows = joblist.sorted_by(sort, jobs, Names.load(), span, place.moment)
    return keyset_page(rows, joblist.order_of(sort, jobs, jobs.count(), span), size, place, joblist.shown)


def walk(sort, **narrowed):
    """All pages from the first to the last, and all from the last back."""
    there, back, place = [], [], Place(NOW)
    while place:
        shown = page(sort, place, **narrowed)
        there += [row.pk for row in shown.rows]
        place = shown.after and Place(NOW, after=shown.after)
    place = Place(NOW, last=True)
    while place:
        shown = page(sort, place, **narrowed)
        back = [row.pk for row in shown.rows] + back
        place = shown.before and Place(NOW, before=shown.before)
    return there, back


@pytest.fixture
def many(db, as_of):
    """60 jobs with many ties, and some without a start, an end or either."""
    as_of("2025-03-31 12:00")
    teams = [make_team(f"team {n}") for n in range(3)]
    Job.objects.bulk_create(one_of_many(n, teams) for n in range(60))


def one_of_many(n, teams):
    start = at("2025-03-01 00:00") + timedelta(days=n % 12)
    return Job(
        start_time=start if n % 7 else None,
        end_time=start + timedelta(days=n % 3, hours=6) if n % 7 and n % 5 else None,
        team=teams[n % 3],
        model_name=f"model {n % 4}",
        provider=("AWS", "OCI", "Oracle Cloud")[n % 3],
        gpu_type=("L4", "A10")[n % 2],
        gpu_count=Decimal(1 + n % 3),
        status=STATUSES[n % 5],
        external_id=str(n),
        submitted_by=("mara", "model 1", None)[n % 3],
    )


@pytest.mark.parametrize("sort", SORTS)
def test_every_job_is_on_one_page_in_both_directions(many, sort):
    there, back = walk(sort)
    assert sorted(there) == sorted(Job.objects.values_list("pk", flat=True))
    assert back[-7:] == there[-7:]
    assert set(back) == set(there)


@pytest.mark.parametrize("sort", SORTS)
def test_rows_without_a_value_come_last_either_way(many, sort):
    rows = {row.pk: row.sort_value for row in joblist.sorted_by(sort, Job.objects.all(), Names(), None, NOW)}
    values = [rows[key] for key in walk(sort)[0]]
    known = [value for value in values if value is not None]
    assert values == known + [None] * (len(values) - len(known))
    assert known == sorted(known, reverse=sort.startswith("-"))


@pytest.mark.parametrize("sort", ["start", "-start", "end", "-end"])
def test_an_indexed_order_is_the_sorted_one(many, sort):
    jobs = Job.objects.all()
    rows = joblist.sorted_by(sort, jobs, Names(), None, NOW)
    ways = [
        [row.pk for row in keyset_page(rows, Order(sort[0] == "-", indexed), 100, Place(NOW)).rows]
        for indexed in (True, False)
    ]
    assert ways[0] == ways[1]


NARROWED = {
    "team": {"team__name": "team 1"},
    "teams": {"team__name__in": ["team 1", "team 2"]},
    "statuses": {"status__in": ["failed", "pending"]},
    "spellings": {"provider__in": ["OCI", "Oracle Cloud"]},
    "two of four": {"provider__in": ["OCI", "AWS"], "status__in": ["failed", "completed"]},
    "four of four": {"provider": "OCI", "status": "failed", "gpu_type": "A10", "team__name": "team 1"},
    "none": {"provider": "OCI", "gpu_type": "H100"},
    "models": {"model_name__in": ["model 1", "model 3"], "status__in": ["failed", "completed"]},
    "user": {"submitted_by": "mara"},
}


def narrowed(conditions):
    """By the keys of teams, as the filters do it."""
    teams = {name: value for name, value in conditions.items() if name.startswith("team")}
    jobs = Job.objects.filter(**{name: value for name, value in conditions.items() if name not in teams})
    for value in teams.values():
        names = [value] if isinstance(value, str) else value
        jobs = jobs.of_team(*(make_team(name).pk for name in names))
    return jobs


@pytest.mark.parametrize("conditions", NARROWED.values(), ids=NARROWED)
@pytest.mark.parametrize("span", [None, Span(date(2025, 3, 5), date(2025, 3, 7))])
def test_stretches_hold_what_the_filters_let_through(many, conditions, span):
    jobs = narrowed(conditions).within(span)
    expected = set(Job.objects.filter(**conditions).within(span).values_list("pk", flat=True))
    assert set(walk("-start", jobs=jobs, span=span)[0]) == expected
    assert set(walk("start", jobs=jobs, span=span)[1]) == expected
    assert stretches.count(jobs, 100) == len(expected)


def test_a_count_stops_at_its_cap(many):
    assert stretches.count(Job.objects.all(), 59) == 60
    assert stretches.count(Job.objects.all(), 12) == 13
    assert stretches.count(Job.objects.none(), 12) == 0


@pytest.mark.parametrize("text", ["model", "MODEL 2", "17", "mara", "model 1", "nothing", "l 3"])
def test_a_search_finds_what_a_look_at_each_job_finds(many, text):
    found = {
        job.pk
        for job in Job.objects.all()
        if text.casefold() in job.model_name.casefold() or text in (job.external_id, job.submitted_by)
    }
    assert set(Job.objects.found_by(text).values_list("pk", flat=True)) == found
    assert set(walk("-start", jobs=Job.objects.found_by(text))[0]) == found


def test_a_search_finds_a_job_by_its_own_id(many):
    job = Job.objects.first()
    assert [found.pk for found in Job.objects.found_by(str(job.pk))] == [job.pk]


HOURS = st.integers(-20 * 24, 20 * 24)


@settings(max_examples=examples(30))
@given(
    times=st.lists(st.tuples(st.none() | HOURS, st.none() | HOURS, st.integers(0, 2)), max_size=12),
    days=st.tuples(st.integers(-9, 9), st.integers(1, 12)),
)
def test_the_jobs_of_a_range_are_those_that_overlap_it(db, times, days):
    """Lengths around a day and a week, with a microsecond more or less, on both sides of the range."""
    Job.objects.all().delete()
    zero, odd = at("2025-03-01 00:00"), timedelta(microseconds=1)
    for start, end, rest in times:
        make_job(
            *(None, None),
            start_time=None if start is None else zero + timedelta(hours=start) - odd * (rest == 1),
            end_time=None if end is None else zero + timedelta(hours=end) + odd * (rest == 2),
        )
    begins = zero + timedelta(days=days[0])
    ends = begins + timedelta(days=days[1])
    expected = {
        job.pk
        for job in Job.objects.all()
        if job.start_time and job.start_time < ends and (job.end_time is None or job.end_time > begins)
    }
    found = Job.objects.overlapping(begins, ends)
    assert sorted(found.values_list("pk", flat=True)) == sorted(expected)
    rows = joblist.sorted_by("-start", found, Names(), None, NOW)
    page = keyset_page(rows, Order(True, nullable=False), 50, Place(NOW))
    assert sorted(row.pk for row in page.rows) == sorted(expected)


CLOCKS = {"UTC": "AWS", "Asia/Tokyo": "Sakura", "America/Los_Angeles": "GCP"}  # the last changes on 9 March
NEAR = st.integers(-20, 20) | st.sampled_from([-12 * 24, -8 * 24, -30, 30, 8 * 24])  # hours


@settings(max_examples=examples(40))
@given(
    times=st.lists(
        st.tuples(
            st.sampled_from(sorted(CLOCKS)),
            st.tuples(st.sampled_from(["start", "end"]), NEAR),
            st.none() | st.tuples(st.sampled_from(["start", "end"]), NEAR),
            st.integers(-1, 1),
        ),
        min_size=1,
        max_size=12,
    ),
    days=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    named=st.sets(st.sampled_from(sorted(CLOCKS))),
    chosen=st.none() | st.sampled_from(sorted(CLOCKS.values())),
)
def test_jobs_of_several_clocks_are_each_found_once_by_their_own(db, times, days, named, chosen):
    """Starts and ends near the edges of the range, or days away."""
    Job.objects.all().delete()
    first = date(2025, 3, days[0])
    span, expected = Span(first, first + timedelta(days=days[1])), set()

    def instant(edge, hours, microseconds):
        midnight_there = midnight(getattr(span, edge), "UTC")
        return midnight_there + timedelta(hours=hours, microseconds=microseconds)

    for clock, began, ended, odd in times:
        start, end = instant(*began, odd), ended and instant(*ended, -odd)
        job = make_job(None, None, provider=CLOCKS[clock], start_time=start, end_time=end)
        own = clock if clock in named else "UTC"
        overlaps = start < midnight(span.end, own) and (end is None or end > midnight(span.start, own))
        if overlaps and chosen in (None, CLOCKS[clock]):
            expected.add(job.pk)
    found = Job.objects.on([chosen] if chosen else []).within(
        span, {clock: [CLOCKS[clock]] for clock in named}
    )
    assert sorted(found.values_list("pk", flat=True)) == sorted(expected)
    for sort in ("-start", "end", "gpus"):
        assert sorted(walk(sort, jobs=found, span=span)[0]) == sorted(expected)


def test_a_range_is_that_of_each_providers_clock(db):
    tokyo = make_job("2025-03-01 20:00", "2025-03-01 21:00", provider="Sakura")  # 2 March there
    utc = make_job("2025-03-01 20:00", "2025-03-01 21:00")
    second = Span(date(2025, 3, 2), date(2025, 3, 3))
    clocks = {"Asia/Tokyo": ["Sakura"]}
    assert list(Job.objects.within(second, clocks)) == [tokyo]
    assert walk("-start", jobs=Job.objects.within(second, clocks), span=second)[0] == [tokyo.pk]
    assert walk("-start", jobs=Job.objects.within(second), span=second)[0] == []
    assert utc.pk != tokyo.pk


@pytest.mark.parametrize(
    "cursor",
    [Cursor("a word", uuid4(), NOW), Cursor(Decimal(3), uuid4(), NOW), Cursor(timedelta(3), uuid4(), NOW)],
)
def test_a_cursor_of_another_order_is_refused(many, cursor):
    with pytest.raises(BadCursor):
        page("-start", Place(NOW, after=cursor))


WHATEVER = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=3), one, max_size=2),
    max_leaves=4,
)
EDGES = ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "1969-12-31T23:59:59", "2025-03-05T00:00:00"]
MOMENTS = st.builds(
    str.__add__, st.sampled_from(EDGES), st.sampled_from(["", "Z", "+00:00", "+14:00", "-14:00"])
)
DIGITS = st.integers(-(10**21), 10**21) | st.sampled_from([2**63 - 1, 2**63, -(2**63), -(2**63) - 1])
VALUES = st.one_of(
    st.tuples(st.just("t"), MOMENTS),
    st.tuples(st.just("d"), DIGITS.map(str)),
    st.tuples(st.just("n"), DIGITS.map(str) | st.decimals().map(str) | st.sampled_from(["1E20", "1E-20"])),
    st.tuples(st.just("s"), st.text(max_size=300) | st.sampled_from(["\ud800", "\0", "x" * 900])),
    st.tuples(st.sampled_from("tdns"), WHATEVER),
    WHATEVER,
)
KEYS = st.uuids().map(lambda key: key.hex) | WHATEVER


@settings(max_examples=examples(150))
@given(
    sort=st.sampled_from(SORTS),
    side=st.sampled_from(["after", "before"]),
    cursor=st.tuples(VALUES, KEYS, MOMENTS | WHATEVER) | WHATEVER,
    days=st.sampled_from([{}, {"start": "2025-03-01", "end": "2025-03-09"}]),
)
def test_no_cursor_that_somebody_made_up_is_an_error(listed, sort, side, cursor, days):
    text = base64.urlsafe_b64encode(json.dumps(cursor).encode()).decode().rstrip("=")
    assert listed(sort=sort, **days, **{side: text}).status_code == 200


@pytest.mark.parametrize("sort", ["gpus", "-gpu_hours", "duration", "-start", "end"])
@pytest.mark.parametrize(
    "value",
    [["t", EDGES[0] + "+14:00"], ["t", EDGES[1] + "-14:00"], ["d", "9" * 19], ["d", "9" * 30], ["n", "1E20"]],
)
def test_a_cursor_beyond_what_can_be_stored_shows_the_first_page(listed, sort, value):
    for cursor in ([value, "0" * 32, NOW.isoformat()], [None, "0" * 32, EDGES[1] + "Z"]):
        text = base64.urlsafe_b64encode(json.dumps(cursor).encode()).decode()
        assert "This is the first page." in listed(sort=sort, after=text).content.decode()


def test_a_cursor_beside_a_job_of_long_ago_leads_on(listed):
    long_ago = make_job("1970-01-01 00:00", "1970-01-01 01:00")
    text = str(Cursor(long_ago.start_time, UUID(int=0), NOW))
    assert keys_of(listed(sort="start", after=text))[0] == long_ago.pk


# The page


@pytest.fixture
def listed(client, finance, many):
    client.force_login(finance)
    return lambda **asked: client.get("/jobs/", {"per_page": 7, **asked})


def keys_of(response):
    return [row.pk for row in response.context["table"].data]


def follow(client, response, link):
    return client.get("/jobs/" + response.context["pages"][link])


def test_the_page_leads_to_its_neighbours_and_to_both_ends(client, listed):
    first = listed()
    second = follow(client, first, "older_url")
    assert keys_of(follow(client, second, "newer_url")) == keys_of(first)
    last = follow(client, first, "last_url")
    assert last.context["pages"]["older_url"] is None and len(keys_of(last)) == 7
    assert keys_of(follow(client, last, "first_url")) == keys_of(first)


@pytest.mark.parametrize(
    ("sort", "day", "first"),
    [("-start", "2025-03-05", "2025-03-05"), ("start", "2025-03-05", "2025-03-05")]
    + [("-start", "2025-03-25", "2025-03-12"), ("start", "2025-02-01", "2025-03-01")]
    + [("team", "2025-03-05", "2025-03-05"), ("-end", "2025-03-05", "2025-03-05")],
)
def test_a_jump_lands_on_the_page_of_the_day(listed, sort, day, first):
    job = listed(sort=sort, jump=day).context["table"].data[0]
    assert str((job.end_time if "end" in sort else job.start_time).date()) == first


def test_a_jump_before_the_oldest_shows_the_end_of_the_list(listed):
    assert {job.start_time for job in listed(jump="2001-01-01").context["table"].data} == {None}
    with_start = {"start": "2025-03-01", "end": "2025-03-31"}
    last = listed(**with_start, before="end")
    assert keys_of(listed(**with_start, jump="2001-01-01")) == keys_of(last)


def test_a_jump_keeps_the_filters(listed):
    page = listed(jump="2025-03-05", status=["failed", "completed"])
    assert {job.status for job in page.context["table"].data} == {"failed", "completed"}
    kept = page.context["jump"]["kept"]
    assert ("status", "failed") in kept and ("status", "completed") in kept
    assert "jump=" not in page.context["pages"]["older_url"]


@pytest.mark.parametrize(
    "day", ["2025-02-30", "yesterday", "0001-01-01", "20250305", "2025-W01-1", "9" * 400]
)
def test_a_jump_to_no_day_says_so(listed, day):
    page = listed(jump=day)
    assert page.status_code == 200
    assert "This is the first page." in page.content.decode()
    assert keys_of(page) == keys_of(listed())


def test_too_many_jobs_are_not_sorted_without_an_index(listed, monkeypatch):
    monkeypatch.setattr(joblist, "SORTED", 59)
    page = listed(sort="team")
    assert keys_of(page) == keys_of(listed())
    assert "More than 59 jobs match, too many to sort by Team" in page.content.decode()
    assert 'aria-sort="descending"' in page.content.decode()
    few = listed(sort="team", status="failed")
    assert "too many to sort" not in few.content.decode()
    assert "too many to sort" not in listed(sort="end").content.decode()
    assert set(keys_of(listed(sort="end", per_page=200))) == set(keys_of(listed(per_page=200)))


@pytest.mark.parametrize("sort", ["team", "-end", "-start"])
def test_the_file_has_the_order_of_the_page(listed, sort, monkeypatch):
    for most in (100_000, 59):  # the second is less than there are
        monkeypatch.setattr(joblist, "SORTED", most)
        file = b"".join(listed(sort=sort, _export="csv").streaming_content).decode("utf-8-sig")
        ids = [line.partition(",")[0] for line in file.splitlines()[1:]]
        assert ids == [str(key) for key in keys_of(listed(sort=sort, per_page=200))]


def test_the_pages_of_a_refused_sort_go_on(client, listed, monkeypatch):
    monkeypatch.setattr(joblist, "SORTED", 10)
    first = listed(sort="-gpu_hours")
    second = follow(client, first, "older_url")
    assert keys_of(second) == walk("-start")[0][7:14]


def test_a_page_asks_no_more_for_more_rows(listed, django_assert_max_num_queries):
    """But once more where it is not full, for the jobs that have no start."""
    for asked in ({}, {"status": ["failed", "completed"]}, {"preset": "last30"}, {"q": "model"}):
        with CaptureQueriesContext(connection) as few:
            listed(per_page=2, **asked)
        with django_assert_max_num_queries(len(few) + 1):
            listed(per_page=50, **asked)


# Plans


SMALL = ("seqscan", "bitmapscan", "sort", "incremental_sort")  # what PostgreSQL does with a table this small


# Whatever tests before have left in the statistics of the table.
AS_LARGE = (
    "DELETE FROM pg_statistic WHERE starelid = 'jobs'::regclass",
    "UPDATE pg_class SET reltuples = 10000000, relpages = 1 WHERE oid = 'jobs'::regclass "
    "OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'jobs'::regclass AND indpred IS NULL)",
)


@contextmanager
def plans():
    """The plan of every query that is asked meanwhile, as of a table that is too large to be sorted."""
    found: list[str] = []
    postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        if postgresql:
            cursor.execute(";".join(f"SET LOCAL enable_{way} = off" for way in SMALL))
            for statement in AS_LARGE:
                cursor.execute(statement)
        with CaptureQueriesContext(connection) as asked:
            yield found
        for query in asked.captured_queries:
            if query["sql"].startswith(("SELECT", "WITH", "\nWITH")):
                cursor.execute(("EXPLAIN " if postgresql else "EXPLAIN QUERY PLAN ") + query["sql"])
                found.append("\n".join(str(row[-1]) for row in cursor.fetchall()))


def days(first, last):
    return Span.inclusive(date.fromisoformat(first), date.fromisoformat(last))


READ = {
    "all": lambda jobs: jobs,
    "a team": lambda jobs: jobs.of_team(make_team("team 1").pk),
    "a status": lambda jobs: jobs.with_status("failed"),
    "statuses": lambda jobs: jobs.with_status("failed", "odd"),
    "a provider": lambda jobs: jobs.on(["OCI", "Oracle Cloud"]),
    "a GPU type": lambda jobs: jobs.on([], ["L4"]),
    "a model": lambda jobs: jobs.filter(model_name="model 1"),
    "models": lambda jobs: jobs.filter(model_name__in=["model 1", "model 2"]),
    "a user": lambda jobs: jobs.filter(submitted_by="mara"),
    "days": lambda jobs: jobs.within(days("2025-03-02", "2025-03-03")),
    "days of a status": lambda jobs: jobs.within(days("2025-03-02", "2025-03-03")).with_status("failed"),
    "three filters": lambda jobs: jobs.on(["OCI"], ["L4", "A10"]).with_status("failed"),
    "a search": lambda jobs: jobs.found_by("model"),
    "a search for a user": lambda jobs: jobs.found_by("mara"),
    "a search for an id": lambda jobs: jobs.found_by("17"),
    "a search for nothing": lambda jobs: jobs.found_by("no such thing"),
}


@pytest.mark.parametrize("read", READ)
def test_no_page_of_the_list_reads_all_jobs(many, read):
    with plans() as found:
        jobs = READ[read](Job.objects.all())
        for sort in ("-start", "start", "end"):
            page(sort, Place(NOW), jobs=jobs)
            page(sort, Place(NOW, last=True), jobs=jobs)
        stretches.count(jobs, 1_000)
    assert len(found) > 10
    for plan in found:
        assert "Seq Scan on jobs" not in plan, plan
        assert not re.search(r"SCAN jobs(?! USING)", plan), plan


INDEXES = {
    "all": "jobs_by_start_idx",
    "a team": "jobs_by_team_idx",
    "statuses": "jobs_by_status_idx",
    "a provider": "jobs_by_provider_idx",
    "a GPU type": "jobs_by_gpu_type_idx",
    "models": "jobs_by_model_idx",
    "a user": "jobs_by_user_idx",
    "three filters": "jobs_by_cell_idx",
    "a search for an id": "jobs_by_external_id_idx",
}


@pytest.mark.parametrize("read", INDEXES)
def test_each_index_is_read_by_a_page(many, read):
    with plans() as found:
        page("-start", Place(NOW), jobs=READ[read](Job.objects.all()))
    assert INDEXES[read] in "\n".join(found)


def test_what_a_model_comes_to_is_read_from_an_index_alone(many):
    rollups.settle()
    with plans() as found:
        rollups.by([], Picked(models=["model 1"]), Names.load())
    alone = "Index Only Scan using" if connection.vendor == "postgresql" else "USING COVERING INDEX"
    assert f"{alone} gpu_days_models_sums_idx" in "\n".join(found)


def test_one_job_is_told_as_one(client, finance, as_of):
    as_of("2025-03-02 12:00")
    make_job()
    client.force_login(finance)
    assert client.get("/jobs/?preset=all").context["pages"]["shown"] == "1 job on this page"
