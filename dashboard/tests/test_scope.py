from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.periods import PRESETS, in_words, preset_span
from dashboard.scope import BUCKETS, Span, bucket_end, bucket_start, buckets, fiscal_year_start

from .conftest import examples

quick = settings(max_examples=examples(100))
days = st.dates(date(2001, 1, 1), date(2098, 12, 31))
spans = st.builds(lambda day, length: Span(day, day + timedelta(days=length)), days, st.integers(0, 800))
fiscal_months = st.integers(1, 12)
SATURDAY = date(2025, 3, 8)


@quick
@given(spans, st.sampled_from(BUCKETS), fiscal_months)
def test_buckets_cover_a_span_without_gap_or_overlap(span, bucket, fiscal_month):
    starts = buckets(span, bucket, fiscal_month)
    for start, following in zip(starts, starts[1:], strict=False):
        assert bucket_end(start, bucket) == following
    for day in span:
        start = bucket_start(day, bucket, fiscal_month)
        assert start in starts
        assert start <= day < bucket_end(start, bucket)


@quick
@given(spans)
def test_the_span_before_has_as_many_days_and_ends_where_this_one_starts(span):
    assert span.before().length == span.length
    assert span.before().end == span.start


@quick
@given(days, days)
def test_inclusive_days_are_half_open_inside(one, other):
    first, last = sorted([one, other])
    span = Span.inclusive(first, last)
    assert first in span and last in span
    assert span.end not in span
    assert span.last == last


@quick
@given(days, fiscal_months)
def test_a_quarter_starts_on_a_month_of_the_fiscal_year(day, fiscal_month):
    start = bucket_start(day, "quarter", fiscal_month)
    assert (start.month - fiscal_month) % 3 == 0
    assert fiscal_year_start(day, fiscal_month) <= start


def test_a_span_cannot_end_before_it_starts():
    with pytest.raises(ValueError, match="cannot end"):
        Span(date(2025, 3, 2), date(2025, 3, 1))


@pytest.mark.parametrize(
    ("preset", "words"),
    [
        ("mtd", "1–8 Mar 2025"),
        ("last7", "27 Feb – 5 Mar 2025"),
        ("last30", "4 Feb – 5 Mar 2025"),
        ("last_month", "1–28 Feb 2025"),
        ("last_quarter", "1 Oct – 31 Dec 2024"),
        ("ytd", "1 Jan – 8 Mar 2025"),
        ("all", "All days"),
    ],
)
def test_presets_in_words(preset, words):
    through = date(2025, 3, 5)
    assert in_words(preset_span(preset, SATURDAY, through)).replace("1 Oct 2024 –", "1 Oct –") == words


def test_quarters_and_the_year_follow_the_fiscal_month():
    assert preset_span("ytd", SATURDAY, None, fiscal_month=2).start == date(2025, 2, 1)
    assert preset_span("last_quarter", SATURDAY, None, fiscal_month=2) == Span(
        date(2024, 11, 1), date(2025, 2, 1)
    )


@quick
@given(days, st.sampled_from(sorted(PRESETS)), fiscal_months)
def test_no_preset_reaches_past_today(today, preset, fiscal_month):
    span = preset_span(preset, today, today - timedelta(days=1), fiscal_month)
    assert span is None or (span.length > 0 and span.last <= today)
