"""/mappings/ lists what is unmatched by hours and dollars, and maps it in one click."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry

from dashboard.models import (
    AccountMapping,
    BillLine,
    ClusterMapping,
    Delivery,
    ImportRun,
    Job,
    NameAlias,
    SpendMapping,
)
from dashboard.naming import Names
from dashboard.reports.unmatched import Unmatched, may_be_same, unmatched

from .conftest import at, make_cost, make_job, make_team, make_usage
from .contracts import make_entry, per_hour

pytestmark = pytest.mark.django_db


def make_logged(start: str = "2025-03-01 00:00", end: str | None = "2025-03-01 01:00", **facts) -> Job:
    """A job as the log of cluster fox left it, without a mapping."""
    facts = {
        "cluster": "fox",
        "partition": "accel",
        "raw_gpu_type": "a100",
        "raw_gpu_count": facts.get("gpu_count", 1),
        "account": "physics",
        "team": "physics",
        "provider": "fox",
        "gpu_type": "a100",
    } | facts
    return make_job(start, end, **facts)


def make_line(day: str, usd: str, hours: str | None = "1", *, current: bool = True, **facts) -> BillLine:
    run, _ = ImportRun.objects.get_or_create(
        format="focus", defaults={"files": [], "written_at": at("2025-04-01 00:00")}
    )
    first = date.fromisoformat(day).replace(day=1)
    delivery, _ = Delivery.objects.get_or_create(
        run=run, provider="AWS", account="1", period_start=first, period_end=first, current=current
    )
    facts = {"provider": "AWS", "account": "1", "kind": "on_demand", "gpu_type": "A100-80GB"} | facts
    return BillLine.objects.create(
        delivery=delivery,
        day=day,
        billed=Decimal(usd),
        effective=Decimal(usd),
        gpu_hours=None if hours is None else Decimal(hours),
        rows=1,
        **facts,
    )


def found() -> Unmatched:
    return unmatched(Names.load(), "effective")


# What is unmatched


def test_gpus_of_a_log_are_ranked_by_their_hours():
    make_logged("2025-03-01 00:00", "2025-03-01 02:00", raw_gpu_type="t4", gpu_type="t4")
    make_logged("2025-03-01 00:00", "2025-03-01 03:00", gpu_count=2)
    make_logged(start="", end=None, status="pending")
    rows = [
        (row.cluster, row.partition, row.raw_gpu_type, row.jobs, row.gpu_hours) for row in found().hardware
    ]
    assert rows == [("fox", "accel", "a100", 2, Decimal(6)), ("fox", "accel", "t4", 1, Decimal(2))]


def test_a_mapped_job_and_one_of_a_table_are_not_listed():
    make_logged(provider="AWS", gpu_type="A100-80GB")
    make_job()
    assert found().hardware == []


def test_an_own_cluster_may_be_mapped_to_its_own_names():
    make_logged()
    ClusterMapping.objects.create(cluster="Fox", provider="fox", gpu_type="a100")
    assert found().hardware == []


def test_an_own_cluster_with_a_price_is_known_by_its_own_names():
    make_logged()
    make_logged(raw_gpu_type="v100", gpu_type="v100")
    per_hour("1.50", "2025-01-01", provider="Fox", gpu_type="A100")
    make_entry("2025-03-01", "2025-03-31", "31", "62", provider="wolf")
    assert [row.raw_gpu_type for row in found().hardware] == ["v100"]
    assert [(row.kind, row.name, row.usd, row.gpu_hours) for row in found().names] == [
        ("provider", "wolf", Decimal(31), Decimal(62)),
        ("gpu_type", "A100-80GB", Decimal(31), Decimal(62)),
    ]


def test_the_one_gpu_type_that_is_meant_is_suggested_with_its_cost():
    make_logged("2025-03-01 00:00", "2025-03-01 03:00")
    make_cost("2025-03-01", "40.00")
    make_usage("2025-03-01", "10.00")
    [row] = found().hardware
    assert (row.target, row.usd) == (("AWS", "A100-80GB"), Decimal(12))


def test_a_choice_of_two_is_left_to_a_person():
    make_logged()
    make_cost("2025-03-01", "40.00")
    make_cost("2025-03-01", "40.00", gpu_type="A100-40GB")
    [row] = found().hardware
    assert (row.target, row.usd) == (None, None)


def test_a_cluster_that_is_mapped_in_part_points_to_its_provider():
    make_logged()
    make_cost("2025-03-01", "40.00")
    make_cost("2025-03-01", "40.00", provider="GCP")
    ClusterMapping.objects.create(cluster="fox", raw_gpu_type="t4", provider="GCP", gpu_type="T4")
    [row] = found().hardware
    assert row.target == ("GCP", "A100-80GB")


def test_accounts_without_a_mapping_are_listed_with_the_team_they_fell_to():
    physics = make_logged().team
    make_logged(account="physics", team="vision", team_set_by_hand=True)
    make_logged(account="biology", team="biology")
    AccountMapping.objects.create(cluster="fox", account="Biology", team=make_team("biology"))
    [row] = found().accounts
    assert (row.account, row.jobs, row.team, row.team_name) == ("physics", 1, physics.pk, "physics")


def test_outside_the_days_of_a_mapping_an_account_is_unmatched():
    make_logged(team="vision")
    make_logged("2025-02-01 00:00", "2025-02-01 02:00")
    AccountMapping.objects.create(
        cluster="fox", account="physics", team=make_team("vision"), valid_from=date(2025, 3, 1)
    )
    [row] = found().accounts
    assert (row.team_name, row.jobs, row.gpu_hours) == ("physics", 1, Decimal(2))


def test_spend_of_sub_accounts_and_tags_is_listed_while_it_is_nobodys():
    team = make_team("serving")
    make_line("2025-03-01", "10.5", sub_account="111", tag="Serving")
    make_line("2025-03-02", "5.25", "2", sub_account="111", tag="Serving")
    make_line("2025-03-01", "7", sub_account="222")
    make_line("2025-03-01", "1", current=False, sub_account="333")
    make_line("2025-03-01", "9", None, sub_account="444", gpu_type="", kind="non_gpu")
    make_line("2025-03-01", "3")
    SpendMapping.objects.create(provider="aws", sub_account="222", team=team)
    [row] = found().spend
    assert (row.sub_account, row.tag, row.usd, row.gpu_hours) == ("111", "Serving", Decimal("15.75"), 3)
    assert (row.team, row.team_name) == (team.pk, "serving")


def test_spend_outside_the_days_of_a_mapping_is_nobodys():
    make_line("2025-03-01", "10", sub_account="111")
    make_line("2025-03-02", "4", sub_account="111")
    SpendMapping.objects.create(
        provider="AWS", sub_account="111", team=make_team("serving"), valid_to=date(2025, 3, 1)
    )
    [row] = found().spend
    assert row.usd == 4


def test_names_that_only_one_side_uses():
    make_job("2025-03-01 00:00", "2025-03-01 02:00", provider="Amazon Web Services")
    make_cost("2025-03-01", "40.00")
    make_usage("2025-03-01", "10.00")
    make_cost("2025-03-01", "5.00", provider="OCI", gpu_type="A10")
    rows = [(n.kind, n.name, n.on_bills, n.jobs, n.gpu_hours, n.usd, n.same_as) for n in found().names]
    assert rows == [
        ("provider", "Amazon Web Services", False, 1, Decimal(2), Decimal(0), "AWS"),
        ("provider", "AWS", True, 0, Decimal(10), Decimal(40), None),
        ("provider", "OCI", True, 0, Decimal(0), Decimal(5), None),
        ("gpu_type", "A10", True, 0, Decimal(0), Decimal(5), None),
    ]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a100", "A100-80GB", True),
        ("NVIDIA A100-SXM4-80GB", "A100-80GB", True),
        ("Amazon Web Services", "AWS", True),
        ("A100-40GB", "A100-80GB", False),
        ("A10", "A100-80GB", False),
        ("T4", "T4G", False),
        ("", "T4", False),
    ],
)
def test_names_are_compared_word_by_word(one, other, same):
    assert may_be_same(one, other) is same


def test_many_rows_take_no_more_queries(django_assert_max_num_queries):
    for number in range(15):
        make_logged(raw_gpu_type=f"g{number}", gpu_type=f"g{number}", account=f"a{number}", team=f"a{number}")
        make_line("2025-03-01", "1", sub_account=str(number))
    names = Names.load()
    with django_assert_max_num_queries(17):
        unmatched(names, "effective")


# The page


def one_click(page: str, button: str) -> dict[str, str]:
    """The hidden fields of the form with that button."""
    from html.parser import HTMLParser

    form = next(part for part in page.split("<form")[1:] if f">{button}<" in part.split("</form>")[0])
    fields: dict[str, str] = {}

    class Inputs(HTMLParser):
        def handle_starttag(self, tag, attrs):
            given = dict(attrs)
            if tag == "input" and given["name"] != "csrfmiddlewaretoken":
                fields[given["name"]] = given["value"]

    Inputs().feed("<form" + form.split("</form>")[0])
    return fields


def test_with_nothing_stored_the_page_says_how_to_begin(admin_client):
    page = admin_client.get("/mappings/").content.decode()
    assert "Nothing is stored yet" in page and "Import a bill or a job log" in page
    assert "Everything is matched" not in page


def test_where_every_name_is_known_everything_is_matched(admin_client):
    make_cost("2025-03-01", "40.00")
    make_job()
    page = admin_client.get("/mappings/").content.decode()
    assert "Everything is matched" in page and "Nothing is stored yet" not in page


def test_a_viewer_sees_what_is_unmatched_and_maps_nothing(client, viewer):
    make_logged()
    client.force_login(viewer)
    page = client.get("/mappings/").content.decode()
    assert "GPUs of a cluster that stand on no bill" in page
    assert "Keep as" not in page and "Other…" not in page and "_export" not in page
    account = {"what": "account", "cluster": "fox", "account": "physics", "team": str(make_team("x").pk)}
    assert client.post("/mappings/", account).status_code == 403
    assert not AccountMapping.objects.exists()


def test_what_is_not_obvious_leads_to_a_filled_form(admin_client):
    make_logged()
    page = admin_client.get("/mappings/").content.decode()
    url = "/admin/dashboard/clustermapping/add/?cluster=fox&amp;partition=accel&amp;raw_gpu_type=a100"
    assert url in page
    form = admin_client.get(url.replace("&amp;", "&")).content.decode()
    assert 'value="fox"' in form and 'value="accel"' in form and 'value="a100"' in form


def test_a_mapping_that_cannot_be_is_refused_in_words(admin_client):
    response = admin_client.post("/mappings/", {"what": "hardware", "cluster": "fox\0"}, follow=True)
    assert "Nothing was mapped." in response.content.decode()
    assert admin_client.post("/mappings/", {"what": "nonsense"}).status_code == 400
    assert not ClusterMapping.objects.exists()


def test_the_file_holds_the_rows_of_the_page(client, finance):
    make_logged("2025-03-01 00:00", "2025-03-01 00:20")
    client.force_login(finance)
    text = b"".join(client.get("/mappings/?_export=csv").streaming_content).decode("utf-8-sig")
    assert text.splitlines()[1] == ("GPUs of a cluster that stand on no bill,fox / accel / a100,1,0.333333,")
    assert client.get("/mappings/?_export=ods").status_code == 400


def test_one_alias_joins_two_names(admin_client):
    make_job(provider="Amazon Web Services")
    make_cost("2025-03-01", "40.00")
    fields = one_click(admin_client.get("/mappings/").content.decode(), "Same as AWS")
    admin_client.post("/mappings/", fields)
    assert str(NameAlias.objects.get()) == "Amazon Web Services = AWS"
    assert found().names == []


def test_one_click_moves_the_stored_jobs(admin_client):
    job = make_logged("2025-03-01 00:00", "2025-03-01 03:00", gpu_count=2)
    make_cost("2025-03-01", "40.00")
    fields = one_click(admin_client.get("/mappings/").content.decode(), "Map to AWS A100-80GB")
    response = admin_client.post("/mappings/", fields, follow=True)
    job.refresh_from_db()
    assert (job.provider, job.gpu_type, job.gpu_count) == ("AWS", "A100-80GB", 2)
    assert "1 stored job follows it." in response.content.decode()
    assert found().hardware == []
    assert LogEntry.objects.get().change_message.endswith("; from the list of unmatched")


def test_one_click_confirms_an_account(admin_client):
    job = make_logged()
    fields = one_click(admin_client.get("/mappings/").content.decode(), "Keep as physics")
    admin_client.post("/mappings/", fields)
    assert found().accounts == []
    assert AccountMapping.objects.get().team == Job.objects.get().team == job.team


def test_one_click_gives_a_tag_to_its_team(admin_client):
    make_team("vision")
    make_line("2025-03-01", "10", sub_account="111", tag="vision")
    fields = one_click(admin_client.get("/mappings/").content.decode(), "Map to vision")
    admin_client.post("/mappings/", fields)
    assert found().spend == []


def test_the_same_click_twice_maps_once(admin_client):
    make_logged()
    fields = one_click(admin_client.get("/mappings/").content.decode(), "Keep as physics")
    admin_client.post("/mappings/", fields)
    response = admin_client.post("/mappings/", fields, follow=True)
    assert "Another mapping of the same names" in response.content.decode()
    assert AccountMapping.objects.count() == 1
