from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.db.models import Exists
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dashboard import rollups
from dashboard.models import (
    ClusterMapping,
    CostSnapshot,
    ImportRun,
    Job,
    LogSpan,
    NameAlias,
    PeriodEntry,
    Rate,
    Team,
    UsageSnapshot,
)
from dashboard.naming import Names
from dashboard.reports import oddities
from dashboard.reports.freshness import Freshness
from dashboard.reports.oddities import ODDITIES
from dashboard.reports.quality import CHECKS, results
from dashboard.scope import Scope, Span

from .conftest import at, examples, make_cost, make_job, make_usage
from .downloads import rows_of
from .loading import bill, load_rows

MARCH = Span.inclusive(date(2025, 3, 1), date(2025, 3, 31))


def found(key: str, scope: Scope | None = None) -> list[tuple[str, int]]:
    """Where the check found how many."""
    names = Names.load()
    scope = (scope or Scope()).but(quality=(key,))
    [result] = results(scope, names, Freshness.load(names))
    return [(finding.where, finding.count) for finding in result.findings]


@pytest.fixture
def clean(db, as_of):
    """A bill, its hours, a job and its log over 1–6 March; it is the 8th."""
    as_of("2025-03-08 12:00")
    for day in range(1, 8):
        make_cost(f"2025-03-0{day}", "100.00")
        make_usage(f"2025-03-0{day}", "24.00")
    make_job("2025-03-02 00:00", "2025-03-02 06:00")
    make_log("2025-03-01 00:00", "2025-03-07 23:00")


def make_log(first: str, last: str, provider: str = "AWS") -> None:
    run = ImportRun.objects.create(format="slurm", files=[], written_at=at("2025-03-31 00:00"))
    LogSpan.objects.create(run=run, cluster=provider, first=at(first), last=at(last))


def test_checks_have_keys_of_their_own():
    assert len({check.key for check in CHECKS}) == len(CHECKS)


def test_what_is_whole_passes_every_check(clean):
    names = Names.load()
    failed = [r.check.key for r in results(Scope(), names, Freshness.load(names)) if r.findings]
    assert failed == []


# Jobs

ODD_JOBS = {
    "ends-before-start": {"start": "2025-03-02 06:00", "end": "2025-03-02 05:00"},
    "no-end": {"end": None, "status": "failed"},
    "no-start": {"start": "", "end": None, "status": "running"},
    "future": {"start": "2025-03-08 13:00", "end": None, "status": "running"},
    "running-with-end": {"status": "running"},
    "pending-with-start": {"status": "pending"},
    "runs-too-long": {"start": "2024-12-08 11:00", "end": None, "status": "running"},
    "zero-length": {"end": "2025-03-01 00:00"},
    "many-gpus": {"gpu_count": 1001},
    "unknown-status": {"status": "SUSPENDED"},
}
FINE_JOBS = [
    {"start": "", "end": None, "status": "pending"},
    {"start": "", "end": None, "status": "cancelled"},  # it never began
    {"start": "2025-03-08 11:00", "end": None, "status": "running"},
    {"start": "2024-12-08 13:00", "end": None, "status": "running"},  # 90 days less an hour
    {"end": "2025-03-01 00:00", "status": "failed"},  # at once
    {"gpu_count": 1000},
    {"gpu_count": "0.125"},
]


@pytest.mark.parametrize("key", ODD_JOBS)
def test_an_odd_job_is_found_by_its_check_alone(clean, key):
    make_job(**ODD_JOBS[key], team="odd")
    expected = {key: [("odd, AWS A100-80GB", 1)]}
    assert {one.key: found(one.key) for one in ODDITIES if found(one.key)} == expected


@pytest.mark.parametrize("facts", FINE_JOBS)
def test_a_job_that_can_be_is_not_odd(clean, facts):
    make_job(**facts)
    assert not [one.key for one in ODDITIES if found(one.key)]


def test_all_odd_jobs_have_a_test():
    assert {one.key for one in ODDITIES} == {*ODD_JOBS, "duplicates"}


def test_two_records_of_one_job_are_found_once_each(clean):
    for team in ("vision", "vision", "speech"):
        make_job("2025-03-03 00:00", "2025-03-03 06:00", team=team)
    assert found("duplicates") == [("vision, AWS A100-80GB", 2)]


ONE = {"cluster": "fox", "external_id": "1"}


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({"cluster": "fox", "external_id": "2"}, False),  # two tasks of one array
        ({"cluster": "wolf", "external_id": "1"}, True),
        ({"external_id": "1"}, True),  # the same job told without its cluster
        ({}, True),  # typed in beside the log
        ({"cluster": "fox"}, True),
        ({"cluster": "fox", "external_id": "2", "gpu_count": 2}, False),
        ({"cluster": "wolf", "external_id": "1", "model_name": "whisper"}, False),
        ({"cluster": "wolf", "external_id": "1", "end_time": at("2025-03-01 02:00")}, False),
    ],
)
def test_jobs_of_one_log_are_as_many_as_their_ids(clean, other, same):
    make_job(**ONE)
    make_job(**other)
    assert sum(count for _, count in found("duplicates")) == (2 if same else 0)


LOGGED = st.fixed_dictionaries(
    {
        "cluster": st.sampled_from([None, "fox", "wolf"]),
        "external_id": st.sampled_from([None, "1", "2"]),
        "model_name": st.sampled_from(["bert", "whisper"]),
        "end_time": st.sampled_from([None, at("2025-03-01 02:00")]),
    }
)


TOLD = {"cluster": None, "external_id": "1", "model_name": "bert", "end_time": at("2025-03-01 02:00")}


@settings(max_examples=examples(40))
@example([TOLD | {"cluster": "fox"}, TOLD])
@given(st.lists(LOGGED, max_size=6))
def test_jobs_are_compared_alike_one_by_one_and_in_groups(db, jobs):
    with transaction.atomic():
        for facts in jobs:
            make_job(**facts)
        rollups.settle()
        ended = Job.objects.filter(end_time__isnull=False)
        one_by_one = ended.filter(Exists(oddities.others_alike()))
        assert ids(ended.filter(oddities.alike_in_groups())) == ids(one_by_one)
        assert ids(oddities.odd(Job.objects.all(), ["duplicates"])) == ids(one_by_one)
        transaction.set_rollback(True)


def ids(jobs: Any) -> set[UUID]:
    return set(jobs.values_list("pk", flat=True))


def test_running_jobs_that_began_together_are_no_duplicates(clean):
    for _ in range(2):
        make_job("2025-03-08 00:00", None, status="running")
    assert found("duplicates") == []


def test_odd_jobs_follow_range_provider_gpu_type_and_team(clean):
    make_job("2025-03-03 06:00", "2025-03-03 05:00")
    make_job("2025-02-03 06:00", "2025-02-03 05:00", provider="GCP", gpu_type="L4", team="speech")
    team = Team.objects.get(name="speech")
    key = "ends-before-start"
    assert found(key, Scope(span=MARCH)) == [("vision, AWS A100-80GB", 1)]
    for scope in (Scope(providers=("GCP",)), Scope(gpu_types=("L4",)), Scope(teams=(team.pk,))):
        assert found(key, scope) == [("speech, GCP L4", 1)]


def test_jobs_without_a_day_are_found_whatever_the_range(clean):
    make_job("", None, status="completed")
    make_job("2026-01-01 00:00", None, status="running")
    february = Scope(span=Span.inclusive(date(2025, 2, 1), date(2025, 2, 28)))
    assert [found(key, february)[0][1] for key in ("no-start", "future")] == [1, 1]


def test_spellings_of_one_name_are_one_place(clean):
    NameAlias.objects.create(kind="provider", alias="Amazon Web Services", name="AWS")
    make_job(status="pending", provider="Amazon Web Services")
    make_job(status="pending", provider="aws ")
    assert found("pending-with-start") == [("vision, AWS A100-80GB", 2)]


# Names


def test_what_no_mapping_places_is_found_and_a_mapping_mends_it(clean):
    make_job(cluster="fox", account="nn1", raw_gpu_type="a100", provider="fox", gpu_type="a100", team="nn1")
    assert found("unmatched-clusters") == [("fox / no partition / a100", 1)]
    assert found("unmatched-accounts") == [("fox / nn1", 1)]
    ClusterMapping.objects.create(cluster="fox", provider="fox", gpu_type="a100")
    assert found("unmatched-clusters") == []


def test_a_sub_account_that_is_no_team_s_is_found(clean):
    load_rows(bill(1, gpu_type="H100-80GB", sub_account="inference"))
    assert found("unmatched-spend") == [("AWS / inference", 1)]


def test_names_that_only_jobs_or_only_bills_know(clean):
    make_job(gpu_type="a100 sxm")
    make_cost("2025-03-02", "1.00", gpu_type="L4")
    assert found("names-of-jobs") == [("GPU type a100 sxm", 1)]
    assert found("names-of-bills") == [("GPU type L4", 1)]


def test_names_that_differ_only_by_punctuation(clean):
    make_cost("2025-03-02", "1.00", gpu_type="A100 80GB")
    make_cost("2025-03-02", "1.00", gpu_type="A100-40GB")
    assert found("similar-names") == [("GPU type A100 80GB = A100-80GB?", 2)]
    NameAlias.objects.create(kind="gpu_type", alias="A100 80GB", name="A100-80GB")
    assert found("similar-names") == []


# Days


def test_days_without_cost_hours_or_log(clean):
    CostSnapshot.objects.filter(date__in=["2025-03-03", "2025-03-04"]).delete()
    UsageSnapshot.objects.filter(date="2025-03-06").delete()
    LogSpan.objects.all().delete()
    make_log("2025-03-01 00:00", "2025-03-04 23:00")
    assert found("days-without-cost") == [("AWS, 3–4 Mar 2025", 2)]
    assert found("days-without-hours") == [("AWS, 6 Mar 2025", 1)]
    assert found("days-without-log") == [("AWS, 5–6 Mar 2025", 2)]


def test_a_provider_that_is_silent_for_more_than_a_week_is_stale(clean, as_of):
    as_of("2025-03-14 12:00")
    assert found("stale") == []
    as_of("2025-03-15 12:00")
    assert found("stale") == [("AWS", 1)]


# Cost and hours


def test_cells_with_more_job_hours_than_metered(clean):
    make_job("2025-03-03 00:00", "2025-03-03 13:00", gpu_count=2)
    make_job("2025-03-08 00:00", None, gpu_count=100, status="running")  # today is not closed
    assert found("over-reported") == [("AWS A100-80GB, 3 Mar 2025", 1)]


def test_negative_hours_and_cost_without_hours(clean):
    make_usage("2025-03-03", "-5.00", gpu_type="L4")
    make_cost("2025-03-02", "7.00", gpu_type="H100-80GB")
    make_cost("2025-03-04", "8.00", gpu_type="H100-80GB")
    make_cost("2025-03-04", "-8.00", gpu_type="Credits")  # a credit has no hours
    assert found("negative-hours") == [("AWS L4, 3 Mar 2025", 1)]
    assert found("cost-without-hours") == [("AWS H100-80GB, 2–4 Mar 2025", 2)]


# Bills and contracts


def test_bill_lines_of_another_month_than_their_bill_s(db, as_of):
    as_of("2025-04-08")
    load_rows(bill(1), bill(2, day_date=date(2025, 2, 28)), bill(3, day_date=date(2025, 4, 1)))
    assert found("other-month") == [("AWS main Mar 2025", 2)]
    assert found("other-month", Scope(span=MARCH)) == []


def test_a_bill_whose_effective_cost_is_of_no_use(db, as_of):
    as_of("2025-04-08")
    load_rows(
        bill(1, billed="1.25", effective="1"),
        bill(2, billed="2.40", effective="2"),
        bill(1, billed="0.50", effective="0.50", account="other"),
        bill(1, billed="7", effective="7", account="whole"),
    )
    assert found("useless-effective") == [("AWS main Mar 2025", 1)]


@pytest.mark.parametrize("spelled", ["AWS", "aws"])
def test_a_cost_typed_in_where_lines_stand_is_found_under_any_spelling(db, as_of, spelled):
    as_of("2025-03-08")
    load_rows(bill(1), bill(2))
    CostSnapshot.objects.filter(date="2025-03-02", provider=spelled).delete()
    assert found("entered-beside-lines") == []
    make_cost("2025-03-02", "55.00", provider=spelled)
    assert found("entered-beside-lines") == [("AWS A100-80GB, 2 Mar 2025", 1)]


def make_entry(first: int, last: int, gpu_type: str = "GH200") -> PeriodEntry:
    days = {"first_day": date(2025, 3, first), "last_day": date(2025, 3, last)}
    return PeriodEntry.objects.create(provider="AWS", gpu_type=gpu_type, cost_usd=Decimal(90), **days)


def test_period_entries_that_overlap_or_stand_beside_a_bill(clean):
    make_entry(1, 5)
    make_entry(6, 10)
    assert found("entries-overlap") == []
    make_entry(4, 7)
    make_entry(4, 7, gpu_type="L4")
    assert found("entries-overlap") == [("AWS GH200, 4–5 Mar 2025", 2), ("AWS GH200, 6–7 Mar 2025", 2)]
    assert found("entries-beside-bills") == []
    make_entry(6, 9, gpu_type="a100-80gb")
    assert found("entries-beside-bills") == [("AWS A100-80GB, 6–7 Mar 2025", 2)]


def make_rate(first: int, gpu_type: str) -> Rate:
    return Rate.objects.create(
        provider="AWS", gpu_type=gpu_type, first_day=date(2025, 3, first), per="gpu_hour", usd=2
    )


def test_rates_that_an_alias_brought_together_or_that_stand_beside_a_bill(clean):
    make_rate(1, "own")
    make_rate(5, "own GPU")
    assert found("rates-overlap") == []
    NameAlias.objects.create(kind="gpu_type", alias="own GPU", name="own")
    assert found("rates-overlap") == [("AWS own, 5–8 Mar 2025", 4)]
    Rate.objects.create(
        provider="AWS", gpu_type="own", first_day=date(2025, 3, 2), per="gpu_month", usd=9, gpus=1
    )
    assert found("rates-overlap") == [("AWS own, 5–8 Mar 2025", 4)], "one per month is no other per hour"
    assert found("rates-beside-bills") == []
    make_rate(3, "A100-80GB")
    assert found("rates-beside-bills") == [("AWS A100-80GB, 3–7 Mar 2025", 5)]


@pytest.mark.parametrize(("kind", "days"), [("entries", "2–3 Mar 2025"), ("rates", "6–7 Mar 2025")])
def test_a_contract_beside_bills_leads_to_its_days(client, finance, clean, kind, days):
    make_entry(2, 3, gpu_type="A100-80GB")
    make_rate(6, "A100-80GB")
    client.force_login(finance)
    asked = {"start": "2025-03-01", "end": "2025-03-08", "quality": f"{kind}-beside-bills"}
    [group] = client.get("/data-quality/", asked).context["failed"]
    [place] = group["checks"][0]["findings"]
    shown = client.get(place["url"]).context
    assert shown["span"] == days
    assert len(getattr(shown["found"], kind)) == 1


# The page


@pytest.fixture
def messy(clean):
    """Every kind of job that is odd, some of them twice, and some days and names."""
    for n, facts in enumerate(ODD_JOBS.values()):
        for _ in range(n % 3 + 1):
            make_job(**({"model_name": f"model {n}"} | facts))
    make_job(gpu_type="a100 sxm", cluster="fox", external_id="1", account="nn1")
    CostSnapshot.objects.filter(date="2025-03-03").delete()


def counts_of(response) -> dict[str, str]:
    return {
        told["check"].key: told["counted"] for group in response.context["failed"] for told in group["checks"]
    }


@pytest.mark.parametrize("where", [{}, {"preset": "all"}, {"start": "2025-03-01", "end": "2025-03-05"}])
def test_each_count_of_odd_jobs_is_that_of_its_list(client, finance, messy, where):
    client.force_login(finance)
    response = client.get("/data-quality/", where)
    told = [t for group in response.context["failed"] for t in group["checks"] if t["check"].mend == "jobs"]
    assert len(told) >= 9
    for check in told:
        assert f"{client.get(check['url']).context['number']} job" in check["counted"], check["url"]
        for one in check["findings"]:
            assert client.get(one["url"]).context["number"] == one["finding"].count, one["url"]


def test_every_link_of_the_page_leads_somewhere(client, admin, messy):
    client.force_login(admin)
    response = client.get("/data-quality/", {"preset": "all"})
    urls = {t["url"] for group in response.context["failed"] for t in group["checks"]}
    for group in response.context["failed"]:
        for told in group["checks"]:
            urls |= {one["url"] for one in told["findings"]} | {way["url"] for way in told["mend"]}
            urls |= {told["every_url"], told["how"].rows_url}
    assert len(urls) > len(response.context["failed"]) > 1
    for url in urls:
        path = url if url.startswith("/") else f"/data-quality/{url}"
        assert client.get(path).status_code == 200, url


def test_the_file_has_a_row_per_place_and_adds_up_to_the_page(client, finance, messy):
    client.force_login(finance)
    response = client.get("/data-quality/", {"preset": "all"})
    rows = rows_of(client.get("/data-quality/", {"preset": "all", "_export": "csv"}))
    sums: dict[str, int] = {}
    for row in rows:
        sums[row["check"]] = sums.get(row["check"], 0) + int(row["count"])
    assert {key: int(counted.split()[0]) for key, counted in counts_of(response).items()} == sums
    assert response.context["figures"][1]["value"] == f"{sum(sums.values()):,}"


def test_a_place_tells_its_count_and_its_note(client, finance, clean):
    make_job("2025-03-03 00:00", "2025-03-03 13:00", gpu_count=2)
    make_job(status="pending")
    client.force_login(finance)
    groups = client.get("/data-quality/", {"preset": "all"}).context["failed"]
    texts = {told["check"].key: told["findings"][0]["text"] for group in groups for told in group["checks"]}
    assert texts == {"pending-with-start": "1 job", "over-reported": "2.00 h more than metered"}


def test_one_check_lists_all_its_places_in_pages(client, finance, clean):
    for n in range(7):
        make_job(status="SUSPENDED", team=f"team {n}")
    client.force_login(finance)
    every = client.get("/data-quality/", {"preset": "all"}).context["failed"][0]["checks"][0]["every_url"]
    response = client.get("/data-quality/" + every.replace("#rows", "&per_page=5"))
    assert [len(response.context["table"].page), len(response.context["table"].rows)] == [5, 7]
    assert counts_of(response) == {"unknown-status": "7 jobs"}


def test_only_those_who_may_mend_are_led_there(client, viewer, finance, admin, messy):
    ways = {}
    for user in (viewer, finance, admin):
        client.force_login(user)
        response = client.get("/data-quality/", {"preset": "all"})
        ways[user.username] = {
            way["label"]
            for group in response.context["failed"]
            for told in group["checks"]
            for way in told["mend"]
        }
    assert ways["vera"] == set()
    assert "Mend in the admin" not in ways["fiona"]
    assert ways["ada"] >= {"Mend in the admin", "Map or alias them", "Import files"}


def test_the_admin_lists_the_same_odd_jobs(client, admin, messy):
    client.force_login(admin)
    listed = client.get("/admin/dashboard/job/", {"quality": "pending-with-start"}).context["cl"]
    assert listed.result_count == Job.objects.filter(status="pending").count() > 0


def test_all_fine_is_said_plainly(client, finance, clean):
    client.force_login(finance)
    page = client.get("/data-quality/").content.decode()
    assert "Nothing to mend" in page
    assert f"0 of {len(CHECKS)}" in page


def test_a_check_that_there_is_not_finds_nothing(client, finance, messy):
    client.force_login(finance)
    assert client.get("/jobs/", {"quality": "moon"}).context["number"] == 0
    assert client.get("/data-quality/", {"quality": "moon"}).context["failed"] == []


def test_a_chip_names_the_check(client, finance, messy):
    client.force_login(finance)
    chips = client.get("/jobs/", {"quality": "no-end"}).context["filters"]
    assert [chip["text"] for chip in chips] == ["Check: Finished jobs without an end"]


def test_the_page_asks_the_database_a_fixed_number_of_times(
    client, finance, messy, django_assert_max_num_queries
):
    for n in range(20):
        make_job(status="SUSPENDED", team=f"team {n}", provider=f"cloud {n}")
        make_cost("2025-03-05", "1.00", provider=f"cloud {n}")
    client.force_login(finance)
    with django_assert_max_num_queries(58):
        client.get("/data-quality/", {"preset": "all"})
