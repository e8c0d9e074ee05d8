"""What a spreadsheet would run is guarded in our files, and the guard comes off again."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dashboard.formulas import guarded, unguarded

from .conftest import examples

quick = settings(max_examples=examples(100))


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@x", "|x", "%x", "  =1", "\tx", "\rx", "\nx", " \n=x", "\0"]
)
def test_what_a_spreadsheet_would_run_is_guarded(text):
    assert guarded(text) == "'" + text
    assert unguarded("'" + text) == text


@pytest.mark.parametrize("text", ["", "resnet", "a=b", "'quoted'", "'", "''", "1.5", "it's"])
def test_what_is_harmless_stays_as_it_is(text):
    assert guarded(text) == unguarded(text) == text


FORMULA_LIKE = st.text(st.sampled_from("'=+-@|% \t\r\na\u00a0"), max_size=6) | st.text()


@quick
@given(FORMULA_LIKE)
def test_the_guard_always_comes_off_again(text):
    assert unguarded(guarded(text)) == text


@quick
@given(FORMULA_LIKE)
def test_no_guarded_text_begins_like_a_formula(text):
    begins = guarded(text).lstrip(" ")
    assume(begins)
    assert begins[0] not in "=+-@|%\t\r\n\0"
