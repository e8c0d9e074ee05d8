"""FOCUS bills: which rows are GPU time, of which kind, and how many hours."""

from datetime import date
from decimal import Decimal

import pytest

from dashboard.ingest.formats import focus
from dashboard.ingest.records import KINDS, FileRefused, Options
from dashboard.ingest.source import open_table

from .conftest import SAMPLES
from .focus_bills import ROW, a_file, gpu_rows, kinds, one, p4d, read, sample

# The samples, worked out by hand


def test_aws_1_0_says_the_type_only_in_the_description():
    records, notes = sample("focus_1.0_aws.csv")
    assert gpu_rows(records) == [
        (2, "on_demand", "A100-40GB", 16.0),  # 2 h × 8
        (3, "on_demand", "A10G", 0.5),
        (4, "spot", "V100-16GB", 3.0),  # consumed is NULL: the pricing quantity counts
    ]
    assert kinds(records)[3:] == ["non_gpu", "non_gpu", "non_gpu", "non_gpu", "credit", "tax"]
    assert sum(row.billed for row in records) == Decimal("68.5172")
    assert records[0].period == (date(2025, 3, 1), date(2025, 4, 1))
    assert records[0].day == date(2025, 3, 3)
    assert (records[0].account, records[0].sub_account) == ("100000000001", "200000000001")
    assert notes[0] == "Read as FOCUS 1.0."
    assert "line 2: '2025-03-03 09:00:00'" in notes[1] and "read as UTC" in notes[1]
    assert "whole dollars only" in notes[2]
    assert "billed 68.517200 USD, effective 69.000000 USD" in notes[2]


def test_azure_1_0_says_it_in_x_sku_details():
    records, notes = sample("focus_1.0_azure.csv")
    assert gpu_rows(records) == [
        (2, "on_demand", "A100-80GB", 24.0),  # 12 h × 2
        (3, "on_demand", "A10", 7.999992),  # 24 h × 1/3, to six decimals
        (4, "committed", "H100-80GB", 80.0),
        (5, "unused_commitment", "H100-80GB", None),  # its cost counts, its hours do not
        (9, "on_demand", "A100-80GB", -2.0),  # a correction keeps its sign
    ]
    assert kinds(records)[4:7] == ["non_gpu", "non_gpu", "purchase"]  # a licence, an FPGA, a reservation
    assert notes == ["Read as FOCUS 1.0."]


def test_gcp_prices_gpus_by_the_hour_and_bills_the_host_beside_them():
    records, notes = sample("focus_1.1_gcp.csv")
    assert gpu_rows(records) == [
        (2, "on_demand", "A100-40GB", 8.0),  # 28,800 seconds
        (3, "spot", "A100-80GB", 1.0),  # 60 minutes
        (6, "on_demand", "H100-80GB", 1.0),
    ]
    assert kinds(records)[2:4] == ["host", "host"]
    assert kinds(records)[5:] == ["non_gpu", "non_gpu", "non_gpu"]
    assert records[1].billed == Decimal("1.2")
    assert records[0].period == (date(2025, 3, 1), date(2025, 4, 1))  # 07:00 UTC is Google's midnight
    assert notes[0] == "Read as FOCUS 1.1."
    assert "'" not in notes[1] and "Nvidia L4 Virtual Workstation GPU (rows: 1)" in notes[1]


def test_aws_1_2_says_it_in_sku_price_details_or_the_usage_type():
    records, notes = sample("focus_1.2_aws.csv")
    assert gpu_rows(records) == [
        (2, "on_demand", "H100-80GB", 8.0),
        (3, "committed", "A100-80GB", 8.0),
        (4, "unused_commitment", "A100-80GB", None),
        (5, "spot", "L40S", 2.0),
        (6, "on_demand", "A10G", 2.0),  # SageMaker: half an hour of four
    ]
    assert kinds(records)[5:] == ["non_gpu"] * 4 + ["purchase", "credit"]
    assert notes == [
        "Read as FOCUS 1.2.",
        "Named like GPUs, but unknown to the catalogue, so kept as non-GPU: p7.48xlarge (rows: 1).",
    ]


def test_oci_part_numbers_are_priced_by_the_gpu_hour():
    records, _ = sample("focus_1.3_oci.csv")
    assert gpu_rows(records) == [
        (2, "on_demand", "A100-40GB", 8.0),  # not 8 × 8, although the shape is named
        (3, "on_demand", "A100-80GB", 10.0),
        (4, "on_demand", "H200", 8.0),  # no part number: one hour of the shape
        (6, "on_demand", "A100-40GB", 1.0),  # 3,600,000 ms
    ]
    assert {row.provider for row in records} == {"OCI"}  # the service provider, not the reseller


@pytest.mark.parametrize("name", ["focus_1.4.csv", "focus_1.4.csv.gz"])
def test_1_4_is_read_packed_and_unpacked(name):
    records, notes = sample(name)
    assert gpu_rows(records) == [
        (2, "on_demand", "H100-80GB", 8.0),
        (4, "on_demand", "H100-94GB", 1.0),
        (8, "spot", "A100-40GB", 4.0),
    ]
    assert sum(row.effective for row in records) == Decimal("104.58")
    assert notes == ["Read as FOCUS 1.4."]


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("focus_*")), ids=lambda path: path.name)
def test_the_version_comes_from_the_header(path):
    with open_table(path, "anything.txt") as table:
        assert focus.version(table.header) == path.name[6:9]
        assert focus.version(tuple(reversed(table.header))) == path.name[6:9]


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("focus_*")), ids=lambda path: path.name)
def test_every_row_is_one_record_and_only_gpu_kinds_have_gpu_types(path):
    records, _ = read(path)
    with_gpu = {"on_demand", "spot", "committed", "unused_commitment"}
    assert records
    for row in records:
        assert row.kind in KINDS
        assert bool(row.gpu_type) == (row.kind in with_gpu)
        assert row.gpu_hours is None or row.gpu_type


# Rules, one at a time


@pytest.mark.parametrize(
    "facts",
    [
        {"SkuPriceDetails": '{"InstanceType": "p4d.24xlarge"}'},
        {"SkuPriceDetails": '{"x_ServiceType": "Standard_ND96asr_v4"}'},
        {"x_SkuDetails": '{"ServiceType": "Standard_ND96asr_v4"}'},
        {"x_UsageType": "USE1-BoxUsage:p4d.24xlarge"},
        {"x_UsageType": "BoxUsage:p4d.24xlarge"},
        {"ChargeDescription": "$32.77 per On Demand Linux p4d.24xlarge Instance Hour"},
        {"ChargeDescription": "Nvidia Tesla A100 GPU running in Iowa", "ConsumedQuantity": "16"},
        {"SkuId": "B92740", "ConsumedQuantity": "16"},
        {"SkuPriceDetails": '{"InstanceType": "p4d.24xlarge"}', "ServiceCategory": "AI and Machine Learning"},
    ],
)
def test_each_place_that_names_the_gpu_is_read(facts):
    row = one(**facts)
    assert (row.gpu_type, row.gpu_hours, row.kind) == ("A100-40GB", 16, "on_demand")


@pytest.mark.parametrize(
    "facts",
    [
        {"SkuId": "GPU4QWNPC9K2PZAY97"},
        {"ChargeDescription": "In-use public IPv4 address GPU"},
        p4d(ServiceCategory="Storage"),
        p4d(ServiceCategory="Networking"),
        p4d(ConsumedUnit="GB", ConsumedQuantity="5", PricingUnit="GB"),
        p4d(ConsumedUnit="vCPU-Hours", PricingUnit="vCPU-Hours"),
        p4d(x_UsageType="USE1-EBSOptimized:p4d.24xlarge"),
        p4d(x_UsageType="SoftwareUsage:p4d.24xlarge"),
        p4d(x_UsageType="USE1-Reservation:p4d.24xlarge"),
        p4d(x_UsageType="USE1-DedicatedRes:p4d.24xlarge"),
        {"ChargeDescription": "AWS Marketplace hourly software usage|us-east-1|p4d.24xlarge"},
        {"ChargeDescription": "host p4d.24xlarge, monitored", "ProviderName": "Datadog"},
        {"SkuPriceDetails": '{"InstanceType": "trn1.32xlarge"}'},
        {"SkuPriceDetails": "p4d.24xlarge"},
        {"SkuPriceDetails": '["p4d.24xlarge"]'},
        {"SkuPriceDetails": '{"InstanceType": ["p4d.24xlarge"]}'},
        {"SkuPriceDetails": "{" * 5000},
    ],
)
def test_a_row_that_only_mentions_a_gpu_is_none(facts):
    row = one(**facts)
    assert (row.kind, row.gpu_type, row.gpu_hours) == ("non_gpu", "", None)
    assert (row.billed, row.effective) == (10, Decimal("9.5"))


def test_the_hours_of_a_capacity_reservation_are_those_used_and_unused():
    nothing = {"BilledCost": "0", "EffectiveCost": "0"}
    rows = [
        nothing | {"x_UsageType": "USE1-Reservation:p4d.24xlarge", "ConsumedQuantity": "10"},
        {"x_UsageType": "USE1-BoxUsage:p4d.24xlarge", "ConsumedQuantity": "6"},
        {"x_UsageType": "USE1-UnusedBox:p4d.24xlarge", "ConsumedQuantity": "4"},
    ]
    records, _ = read(a_file(*(ROW | p4d(**row) for row in rows)))
    assert sum(row.gpu_hours or 0 for row in records) == 80
    assert sum(row.effective for row in records) == 19


@pytest.mark.parametrize("category", ["Credit", "Purchase", "Tax", "Adjustment"])
def test_what_is_not_usage_never_has_a_gpu_type(category):
    row = one(**p4d(ChargeCategory=category))
    assert (row.gpu_type, row.gpu_hours) == ("", None)
    assert row.kind == {"Adjustment": "credit"}.get(category, category.lower())


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({}, "on_demand"),
        ({"PricingCategory": "Dynamic"}, "spot"),
        ({"x_UsageType": "USE1-SpotUsage:p4d.24xlarge"}, "spot"),
        ({"ChargeDescription": "p4d.24xlarge Linux/UNIX Spot Instance-hour"}, "spot"),
        ({"PricingCategory": "Committed"}, "committed"),
        ({"CommitmentDiscountStatus": "Used"}, "committed"),
        ({"CommitmentDiscountStatus": "Unused", "PricingCategory": "Committed"}, "unused_commitment"),
        ({"CommitmentDiscountStatus": "NULL", "PricingCategory": "null"}, "on_demand"),
    ],
)
def test_a_gpu_row_has_the_kind_of_its_price(facts, kind):
    row = one(**p4d(**facts))
    assert row.kind == kind
    assert row.gpu_type == "A100-40GB"
    assert (row.gpu_hours is None) == (kind == "unused_commitment")


@pytest.mark.parametrize(
    ("quantity", "unit", "hours"),
    [
        *(
            ("2", "Hours", 16),
            ("2", "Hrs", 16),
            ("1.5e1", "hour", 120),
            ("30", "minutes", 4),
            ("1800", "Seconds", 4),
        ),
        *(
            ("0.02", "100 Hours", 16),
            ("2", "Instance-Hours", 16),
            ("2", "Units/Hour", 16),
            ("2", "GPU-Hours", 2),
        ),
        *(("1", "Days", 192), ("-0.5", "Hours", -4), ("2", "Months", None), ("2", "Hour(s)", 16)),
    ],
)
def test_time_is_turned_into_gpu_hours(quantity, unit, hours):
    assert one(**p4d(ConsumedQuantity=quantity, ConsumedUnit=unit)).gpu_hours == hours


def test_without_a_consumed_quantity_the_pricing_quantity_counts():
    assert one(**p4d(ConsumedQuantity="NULL", PricingQuantity="3")).gpu_hours == 24
    assert one(**p4d(ConsumedUnit="", PricingQuantity="3")).gpu_hours == 24


@pytest.mark.parametrize("unit", ["Units", "Instances", "Count", "Quantity", "Unit(s)", "Compute"])
def test_what_is_consumed_by_the_piece_and_priced_by_time_has_the_hours_of_its_price(unit):
    row = one(**p4d(ConsumedQuantity="1", ConsumedUnit=unit, PricingQuantity="3", PricingUnit="1 Hour"))
    assert (row.kind, row.gpu_type, row.gpu_hours) == ("on_demand", "A100-40GB", 24)


@pytest.mark.parametrize("unit", ["Units", "Instances", "Count", "Quantity"])
def test_a_gpu_that_is_billed_by_the_piece_keeps_its_cost_and_is_noted(unit):
    records, notes = read(a_file(ROW | p4d(ConsumedUnit=unit, PricingUnit="Units")))
    assert (records[0].kind, records[0].gpu_type, records[0].gpu_hours) == ("on_demand", "A100-40GB", None)
    assert "1 GPU rows say no hours" in notes[-1]


def test_what_names_a_gpu_and_measures_something_else_is_noted():
    transfer = ROW | p4d(ConsumedUnit="GB", PricingUnit="GB")
    records, notes = read(a_file(transfer, transfer, ROW | p4d(ConsumedUnit="Requests", PricingUnit="")))
    assert kinds(records) == ["non_gpu"] * 3
    assert notes[-1] == (
        "Named as a GPU that the catalogue knows, but measured in something else than time, "
        "so kept as non-GPU: GB (rows: 2), Requests (rows: 1)."
    )


def test_a_gpu_row_without_a_quantity_keeps_its_cost_and_is_noted():
    nothing = dict.fromkeys(("ConsumedQuantity", "ConsumedUnit", "PricingQuantity", "PricingUnit"), "")
    records, notes = read(a_file(ROW | p4d(**nothing)))
    assert (records[0].gpu_type, records[0].gpu_hours, records[0].billed) == ("A100-40GB", None, 10)
    assert "1 GPU rows say no hours" in notes[-1]


def test_columns_may_come_in_any_order_and_unknown_ones_do_no_harm():
    backwards = dict(reversed((ROW | p4d(x_Anything="?")).items()))
    assert read(a_file(backwards))[0][0].gpu_hours == 16


def test_a_minimal_header_is_enough():
    row = {name: ROW[name] for name in (*focus.MANDATORY, "BillingAccountId", "ProviderName")}
    assert read(a_file(row))[0][0].kind == "non_gpu"


def test_the_service_provider_goes_before_the_provider():
    assert one(ServiceProviderName="Databricks").provider == "Databricks"
    assert one(ServiceProviderName="NULL").provider == "AWS"


def test_the_day_is_the_utc_day_of_the_charge():
    assert one(ChargePeriodStart="2025-03-05T23:30:00-05:00").day == date(2025, 3, 6)
    assert one(ChargePeriodStart="2025-03-05 23:30:00").day == date(2025, 3, 5)


def test_the_time_zone_option_is_for_logs_not_for_bills():
    records, _ = read(
        a_file(ROW | {"ChargePeriodStart": "2025-03-05 00:30:00"}), Options(time_zone="Asia/Tokyo")
    )
    assert records[0].day == date(2025, 3, 5)


@pytest.mark.parametrize(
    ("end", "beyond"),
    [("2025-04-01T00:00Z", date(2025, 4, 1)), ("2025-03-31T23:59:59Z", date(2025, 4, 1))],
)
def test_a_billing_period_ends_before_the_day_that_follows_it(end, beyond):
    assert one(BillingPeriodEnd=end).period == (date(2025, 3, 1), beyond)


def test_an_account_can_be_given_for_a_file_that_names_none():
    row = {name: value for name, value in ROW.items() if name != "BillingAccountId"}
    assert read(a_file(row), Options(account="main"))[0][0].account == "main"
    assert read(a_file(ROW), Options(account="main"))[0][0].account == "acct"
    with pytest.raises(FileRefused, match="BillingAccountId"):
        read(a_file(row))


def test_amounts_keep_every_digit():
    row = one(BilledCost="0.000000123456789012345", EffectiveCost="-1.23e-7")
    assert row.billed == Decimal("0.000000123456789012345")
    assert row.effective == Decimal("-0.000000123")


# Tags


@pytest.mark.parametrize(
    ("tags", "team"),
    [
        ('{"team": "vision", "env": "dev"}', "vision"),
        ('"team": "vision","env": "dev"', "vision"),
        ('{"team": "two\\nlines"}', "two lines"),
        ('{"team": true}', "true"),
        ('{"team": null}', ""),
        ('{"Team": "vision"}', ""),
        ("NULL", ""),
        ("", ""),
        ("not json", ""),
        ("[" * 5000, ""),
        ('{"team": "vision \\ud83d"}', "vision \ufffd"),
        ('{"team": "\\ud83d\\ude00"}', "\U0001f600"),
    ],
)
def test_the_value_of_the_chosen_tag_is_kept(tags, team):
    records, _ = read(a_file(ROW | {"Tags": tags}), Options(team_tag="team"))
    assert records[0].tag == team


def test_a_tag_that_no_row_carries_is_noted_with_those_that_are_there():
    _, notes = sample("focus_1.0_aws.csv", Options(team_tag="Team"))
    assert "No row carries the tag 'Team'; tags seen: 'team', 'environment'." in notes
    assert not any("No row" in note for note in sample("focus_1.0_aws.csv", Options(team_tag="team"))[1])


@pytest.mark.parametrize(
    ("facts", "noted"),
    [
        ({"Tags": r'{"\ud800": "x"}'}, "tags seen: '\ufffd'"),
        ({"Tags": r'{"a\u0000b": "x"}'}, "tags seen: 'a b'"),
        ({"SkuPriceDetails": r'{"InstanceType": "p9.\ud800"}'}, "p9.\ufffd (rows: 1)"),
    ],
)
def test_what_no_database_holds_is_noted_as_what_it_can_hold(facts, noted):
    _, notes = read(a_file(ROW | facts), Options(team_tag="team"))
    assert any(noted in note for note in notes)
