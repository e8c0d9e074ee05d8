from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.models import NameAlias, Provider
from dashboard.models.names import name_key
from dashboard.naming import Names

from .conftest import examples, make_cost, make_job, make_usage

words = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@settings(max_examples=examples(100))
@given(st.lists(words, min_size=1, max_size=4), st.integers(1, 3))
def test_blanks_and_capitals_make_no_other_name(parts, blanks):
    assert name_key(" " + (" " * blanks).join(parts)) == name_key(" ".join(parts))
    assert name_key(name_key(" ".join(parts))) == name_key(" ".join(parts))


def test_sizes_of_memory_stay_apart(db):
    make_cost("2025-03-01", "1", gpu_type="A100-40GB")
    make_cost("2025-03-01", "1", gpu_type="A100-80GB")
    assert Names.load().gpu_choices() == ["A100-40GB", "A100-80GB"]


def test_spellings_of_one_provider_show_one_name_and_are_found_together(db):
    make_cost("2025-03-01", "1", provider="AWS")
    make_usage("2025-03-01", "1", provider="aws")
    make_job(provider=" Amazon  Web Services")
    NameAlias.objects.create(kind="provider", alias="amazon web services", name="AWS")
    names = Names.load()
    assert names.provider_choices() == ["AWS"]
    assert names.provider_spellings(["AWS"]) == [" Amazon  Web Services", "AWS", "aws"]


def test_the_providers_own_name_is_the_one_shown(db):
    make_cost("2025-03-01", "1", provider="gcp")
    Provider.objects.create(name="GCP", bill_clock="America/Los_Angeles", lag_days=2)
    names = Names.load()
    assert (names.provider("gcp"), names.clock("gcp"), names.lag("GCP")) == ("GCP", "America/Los_Angeles", 2)


def test_an_alias_of_a_provider_keeps_that_providers_clock(db):
    Provider.objects.create(name="AWS", bill_clock="Asia/Tokyo")
    NameAlias.objects.create(kind="provider", alias="Amazon", name="aws")
    assert Names.load().clock("AMAZON") == "Asia/Tokyo"


def test_every_pair_of_names_is_found(db):
    for provider, gpu_type in [("b", "2"), ("a", "2"), ("a", "1"), ("c", "1"), ("a", "2")]:
        make_job(provider=provider, gpu_type=gpu_type)
    make_cost("2025-03-01", "1", provider="bill", gpu_type="only")
    pairs = {("a", "1"), ("a", "2"), ("b", "2"), ("c", "1"), ("bill", "only")}
    assert Names.load().pairs == pairs


@pytest.mark.parametrize(
    ("alias", "name"), [("AWS", "aws"), ("Amazon", "EC2"), ("gcp", "AWS Cloud"), ("X", "Amazon")]
)
def test_an_alias_that_would_make_a_circle_or_a_chain_is_refused(db, alias, name):
    NameAlias.objects.create(kind="provider", alias="Amazon", name="AWS")
    NameAlias.objects.create(kind="provider", alias="Google", name="GCP")
    with pytest.raises(ValidationError):
        NameAlias(kind="provider", alias=alias, name=name).full_clean()
