"""Single values: what is a number, a day, a time, a name, and what only looks like one."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.ingest import values
from dashboard.ingest.values import BadValue

from .conftest import examples

OSLO = ZoneInfo("Europe/Oslo")
quick = settings(max_examples=examples(100))


@pytest.mark.parametrize(
    ("text", "number"),
    [("12.30", "12.30"), ("-0.5", "-0.5"), (".5", "0.5"), (" 7 ", "7"), ("-0.00", "0"), ("007", "7")],
)
def test_a_number_is_read(text, number):
    assert values.decimal(text) == Decimal(number)
    assert not values.decimal(text).is_signed() or Decimal(number) < 0


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "-", ".", "5.", "+5", "1_000", "1,000", "1 000", "$5", "5 USD", "0x10", "٣", "５", "½"),
        *("NaN", "Infinity", "-inf", "1e5", "--5", "5-", "n/a", "1.2.3", "9" * 41, "1" * 10**6, "9" * 13),
        *("0." + "1" * 31, "\t5", "5\n"),
    ],
)
def test_what_only_looks_like_a_number_is_refused(text):
    with pytest.raises(BadValue):
        values.decimal(text)


def test_exponents_are_read_where_they_are_allowed():
    assert values.decimal("1.23e1", exponent=True) == Decimal("12.3")
    assert str(values.decimal("1.5E3", exponent=True)) == "1500"
    assert values.decimal("8.0e-7", exponent=True) == Decimal("0.00000080")
    for text in ("1e400", "1e13", "1e-31", "1e-9999999999", "e5", "1e", "1e٣"):
        with pytest.raises(BadValue):
            values.decimal(text, exponent=True)


def test_decimals_are_counted_not_rounded():
    assert str(values.decimal("1.5", places=2)) == "1.50"
    assert str(values.decimal("1.500", places=2)) == "1.50"
    with pytest.raises(BadValue, match="at most two decimals"):
        values.decimal("1.005", places=2)


@quick
@given(st.decimals(-(10**12), 10**12, allow_nan=False, places=12))
def test_every_number_comes_back_as_it_was_written(number):
    assert values.decimal(f"{number:f}") == number
    assert values.decimal(f"{number:e}", exponent=True) == number


def test_a_day_has_one_spelling():
    assert values.iso_day("2025-03-01") == date(2025, 3, 1)
    for text in (
        *("20250301", "2025-W01-1", "2025-3-1", "01.03.2025", "2025-02-30", "0000-00-00", "1999-12-31"),
        *("2100-01-01", "٢٠٢٥-03-01", "2025-03-01T00:00:00Z", "", "2025-060", "9999-12-31", "2025-03-01\n"),
    ):
        with pytest.raises(BadValue):
            values.iso_day(text)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2025-03-01T12:30:15Z", datetime(2025, 3, 1, 12, 30, 15)),
        ("2025-03-01 12:30", datetime(2025, 3, 1, 12, 30)),
        ("2025-03-01 12:30:00 UTC", datetime(2025, 3, 1, 12, 30)),
        ("2025-03-01T12:30:00.5z", datetime(2025, 3, 1, 12, 30, 0, 500_000)),
        ("2025-03-01T12:30:00.000001Z", datetime(2025, 3, 1, 12, 30, 0, 1)),
        ("2025-03-01T00:30:00+02:00", datetime(2025, 2, 28, 22, 30)),
        ("2025-03-01T00:30:00-0530", datetime(2025, 3, 1, 6, 0)),
        ("2025-03-01 00:30:00+00", datetime(2025, 3, 1, 0, 30)),
    ],
)
def test_a_time_is_read(text, instant):
    assert values.moment(text) == instant.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        *("", "2025-03-01", "20250301T123000Z", "2025-03-01T25:00:00Z", "2025-03-01T24:00:00Z"),
        *("2025-03-01T12:60:00Z", "2025-03-01T12:30:60Z", "2025-03-01T12:30:00.1234567Z", "1740832200"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2000-01-01T00:00:00+01:00"),
        *("2025-03-01T12:30:00+15:00", "2025-03-01T12:30:00+01:75", "2025-03-01T12:30:00 CET"),
        *("２025-03-01T12:30:00Z", "2025-02-30T00:00:00Z", "2025-03-01T12:30:00ZZ"),
    ],
)
def test_what_only_looks_like_a_time_is_refused(text):
    with pytest.raises(BadValue):
        values.moment(text)


def test_a_time_without_offset_is_local():
    assert values.moment("2025-07-01 12:00:00", OSLO) == datetime(2025, 7, 1, 10, tzinfo=UTC)
    assert values.moment("2025-07-01 12:00:00Z", OSLO) == datetime(2025, 7, 1, 12, tzinfo=UTC)


def test_a_local_time_can_occur_twice_or_never():
    first, second = values.moments("2025-10-26 02:30:00", OSLO)
    assert (first.hour, second.hour) == (0, 1)
    with pytest.raises(BadValue, match="put forward"):
        values.moments("2025-03-30 02:30:00", OSLO)


def test_of_a_time_that_occurs_twice_the_elapsed_time_decides():
    start = values.moments("2025-10-26 01:30:00", OSLO)
    ends = values.moments("2025-10-26 02:30:00", OSLO)
    assert values.span(start, ends, timedelta(hours=2)) == (start[0], ends[1])
    assert values.span(start, ends, timedelta(hours=1)) == (start[0], ends[0])
    assert values.span(start, ends) == (start[0], ends[0])


def test_without_elapsed_time_a_job_does_not_run_backwards():
    starts = values.moments("2025-10-26 02:50:00", OSLO)
    ends = values.moments("2025-10-26 02:10:00", OSLO)
    start, end = values.span(starts, ends)
    assert end - start == timedelta(minutes=20)


@quick
@given(
    st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30)),
    st.sampled_from(["UTC", "Europe/Oslo", "America/Los_Angeles", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_every_instant_is_among_the_meanings_of_its_local_spelling(stamp, zone):
    instant = stamp.replace(tzinfo=UTC)
    local = instant.astimezone(ZoneInfo(zone))
    assert values.moment(local.isoformat()) == instant
    assert instant in values.moments(local.replace(tzinfo=None).isoformat(sep=" "), ZoneInfo(zone))


@pytest.mark.parametrize("name", ["Mars/Olympus", "Europe", "../../etc/passwd", "CEST+", "/etc/localtime"])
def test_an_unknown_zone_is_refused(name):
    with pytest.raises(BadValue, match="a time zone like"):
        values.zone(name)


def test_a_name_is_trimmed_and_keeps_its_letters():
    assert values.text("  Zürich \u00a0AI ") == "Zürich \u00a0AI"
    assert values.text("研究 👩‍🔬") == "研究 👩‍🔬"


@pytest.mark.parametrize(
    "text", ["", "  ", "\u3000", "a\nb", "AWS\n", "a\tb", "a\x1bb", "\u202eSWA", "a\u2028b"]
)
def test_what_is_no_name_is_refused(text):
    with pytest.raises(BadValue):
        values.text(text)


def test_a_name_has_a_length():
    assert len(values.text("x" * 255)) == 255
    with pytest.raises(BadValue, match="at most 255"):
        values.text("x" * 256)
    with pytest.raises(BadValue) as bad:
        values.text("x" * 10**6)
    assert len(str(bad.value.value)) == 80


def test_free_text_is_tidied():
    assert values.tidied(" a\tb\u202e\n") == "a b"
    assert values.tidied("x" * 300) == "x" * 255


def test_a_uuid_has_one_spelling():
    assert str(values.uuid("123E4567-e89b-42d3-a456-426614174000")) == "123e4567-e89b-42d3-a456-426614174000"
    for text in ("123e4567e89b42d3a456426614174000", "{123e4567-e89b-42d3-a456-426614174000}", "1", ""):
        with pytest.raises(BadValue):
            values.uuid(text)


def test_a_list_in_a_sentence_stays_short():
    assert values.listed(["a", "b"]) == "'a', 'b'"
    assert values.listed("abcdefghij") == "'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h' and 2 more"
    assert len(values.listed(["x" * 10**6] * 10**4)) < 500
