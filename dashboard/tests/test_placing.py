"""Mappings: which one wins, on which day, and that stored jobs follow them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from dashboard.ingest.reapply import reapply
from dashboard.models import AccountMapping, ClusterMapping, Job, SpendMapping, Team
from dashboard.placing import Place, Placing

from .conftest import at, make_job, make_team
from .loading import job, load_rows

A_DAY = date(2025, 3, 1)


def mapping(partition: str = "", raw: str = "", gpu_type: str = "A100-80GB", **facts: Any) -> ClusterMapping:
    facts = {"cluster": "fox", "provider": "AWS", "factor": Decimal(1)} | facts
    return ClusterMapping(partition=partition, raw_gpu_type=raw, gpu_type=gpu_type, **facts)


def placed(*mappings: ClusterMapping, day: date | None = A_DAY, cluster: str = "fox") -> str | None:
    place = Placing(mappings).place(cluster, "accel", "a100", day)
    return place and place.gpu_type


def test_the_most_exact_mapping_wins() -> None:
    any_ = mapping(gpu_type="any")
    partition = mapping("accel", gpu_type="partition")
    kind = mapping("", "a100", gpu_type="type")
    both = mapping("accel", "a100", gpu_type="both")
    assert placed(any_, partition, kind, both) == "both"
    assert placed(any_, partition, kind) == "type"
    assert placed(any_, partition) == "partition"
    assert placed(any_) == "any"
    assert placed(mapping("other"), mapping("", "h100")) is None


def test_capitals_and_blanks_do_not_matter() -> None:
    assert placed(mapping(" ACCEL", "A100 "), cluster="Fox") == "A100-80GB"


def test_a_mapping_holds_from_its_first_to_its_last_day() -> None:
    march = mapping(valid_from=date(2025, 3, 1), valid_to=date(2025, 3, 31))
    assert placed(march, day=date(2025, 3, 1)) == placed(march, day=date(2025, 3, 31)) == "A100-80GB"
    assert placed(march, day=date(2025, 4, 1)) is placed(march, day=None) is None


def test_a_slice_is_a_part_of_a_gpu() -> None:
    assert Place("AWS", "A100", Decimal("0.142857")).gpu_count(Decimal(2)) == Decimal("0.285714")
    assert Place("AWS", "A100", Decimal("0.000001")).gpu_count(Decimal("0.1")) == Decimal("0.000001")


def test_spend_goes_by_sub_account_and_tag() -> None:
    both = SpendMapping(provider="AWS", sub_account="1", tag="vision", team_id=1)
    tag = SpendMapping(provider="AWS", tag="vision", team_id=2)
    account = SpendMapping(provider="AWS", sub_account="1", team_id=3)
    placing = Placing(spend=[account, tag, both])
    assert placing.team_paying("aws", "1", "Vision", A_DAY) == 1
    assert placing.team_paying("AWS", "2", "vision", A_DAY) == 2
    assert placing.team_paying("AWS", "1", "", A_DAY) == 3
    assert placing.team_paying("AWS", "2", "", A_DAY) is None


@pytest.mark.django_db
class TestStoredJobs:
    def test_follow_a_new_mapping_and_its_removal(self) -> None:
        load_rows(job("7", gpu_count=Decimal(2)), job("8", raw_gpu_type="v100"))
        before = Job.objects.get(external_id="7").updated_at
        rule = mapping("", "a100", factor=Decimal("0.5"))
        rule.save()
        assert reapply() == 1
        seven = Job.objects.get(external_id="7")
        assert (seven.provider, seven.gpu_type, seven.gpu_count) == ("AWS", "A100-80GB", 1)
        assert seven.updated_at == before
        assert Job.objects.get(external_id="8").provider == "fox"
        assert reapply() == 0
        rule.delete()
        assert reapply() == 1
        seven.refresh_from_db()
        assert (seven.provider, seven.gpu_type, seven.gpu_count) == ("fox", "a100", 2)

    def test_follow_only_on_the_days_of_the_mapping(self) -> None:
        load_rows(
            job("1", start_time=at("2025-02-28 23:59"), end_time=at("2025-03-01 02:00")),
            job("2", start_time=at("2025-03-01 00:00")),
            job("3", start_time=at("2025-03-31 23:59"), end_time=at("2025-04-02 00:00")),
            job("4", start_time=at("2025-04-01 00:00"), end_time=at("2025-04-02 00:00")),
            job("5", start_time=None, end_time=None, submit_time=at("2025-03-05 00:00"), status="pending"),
            job("6", start_time=None, end_time=None, status="pending"),
        )
        mapping(valid_from=date(2025, 3, 1), valid_to=date(2025, 3, 31)).save()
        assert reapply() == 3
        moved = Job.objects.filter(provider="AWS").order_by("external_id")
        assert list(moved.values_list("external_id", flat=True)) == ["2", "3", "5"]

    def test_an_import_places_as_the_mappings_say(self) -> None:
        mapping(factor=Decimal("0.5")).save()
        summary = load_rows(job("7", gpu_count=Decimal(3)))
        seven = Job.objects.get()
        assert (seven.provider, seven.gpu_count, seven.raw_gpu_count) == ("AWS", Decimal("1.5"), 3)
        assert "clusters" not in summary.unmatched
        assert reapply() == 0

    def test_the_same_log_after_a_new_mapping_hits_the_same_jobs(self) -> None:
        load_rows(job("7"))
        mapping().save()
        reapply()
        assert load_rows(job("7")).changes == 0

    def test_accounts_follow_their_team(self) -> None:
        load_rows(job("7", team="a1"), job("8", team="a1"))
        speech = make_team("speech")
        Job.objects.filter(external_id="8").update(team=make_team("by hand"), team_set_by_hand=True)
        rule = AccountMapping.objects.create(cluster="FOX", account="A1", team=speech)
        assert reapply() == 1
        assert Job.objects.get(external_id="7").team == speech
        assert Job.objects.get(external_id="8").team.name == "by hand"
        rule.delete()
        Team.objects.filter(name="a1").delete()
        assert reapply() == 1
        assert Job.objects.get(external_id="7").team.name == "a1"

    def test_jobs_that_no_log_named_stay(self) -> None:
        make_job(cluster="fox")
        mapping(provider="GCP").save()
        assert reapply() == 0

    def test_what_no_mapping_matches_is_said(self) -> None:
        assert load_rows(job("7"), job("8"), dry_run=True).unmatched == {
            "clusters": [{"cluster": "fox", "partition": "accel", "raw_gpu_type": "a100", "jobs": 2}],
            "accounts": [{"cluster": "fox", "account": "vision", "jobs": 2}],
        }
