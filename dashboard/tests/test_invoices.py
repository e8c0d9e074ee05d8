"""The bill of an account and period, held against the invoice that finance types in."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.ingest.load import Source, load
from dashboard.models import Invoice, NameAlias, PeriodEntry, Rate
from dashboard.naming import Names
from dashboard.reports.differences import reasons
from dashboard.reports.invoices import PARTS, STATES, Bill, TieOut, spans_of, tie_out
from dashboard.scope import Scope, Span

from .conftest import REAL, examples, make_cost
from .contracts import make_entry
from .loading import bill, load_rows

pytestmark = pytest.mark.django_db
MARCH = Span(date(2025, 3, 1), date(2025, 4, 1))
APRIL = (date(2025, 4, 1), date(2025, 5, 1))


def make_invoice(usd: str, month: str = "2025-03-01", **facts: str) -> Invoice:
    named = {"provider": "AWS", "account": "main"} | facts
    return Invoice.objects.create(period_start=date.fromisoformat(month), total_usd=Decimal(usd), **named)


def whole_month(**facts: Any) -> list[Any]:
    """$10 of GPUs on every day of March: $310."""
    return [bill(day, **facts) for day in range(1, 32)]


def other(usd: str, kind: str = "non_gpu", day: int = 1, **facts: Any) -> Any:
    """A line that is no GPU."""
    return bill(
        day, billed=usd, hours=None, kind=kind, **({"gpu_type": "", "service_category": "Other"} | facts)
    )


def tie(span: Span | None = MARCH, **narrowed: Any) -> TieOut:
    return tie_out(Scope(span, **narrowed), Names.load(), reasons)


def only() -> Bill:
    [found] = tie().bills
    return found


def said(found: Bill) -> list[str]:
    return [f"{r.text}: {r.usd}" if r.usd is not None else r.text for r in found.reasons]


# The parts


def test_a_bill_falls_into_parts_that_add_up_to_it():
    load_rows(
        bill(1, "100"),
        bill(1, "30", kind="spot"),
        bill(1, "0", kind="committed", effective="50"),
        bill(1, "0", kind="unused_commitment", hours=None, effective="5"),
        bill(2, "-7", kind="credit"),
        other("20", "host"),
        other("40", service_category="Storage"),
        other("9", service_category="Enterprise Support"),
        other("55", "purchase"),
        other("12.50", "tax"),
        other("-25", "credit"),
    )
    found = only()
    assert {part: str(usd) for part, usd in found.shown.items() if usd} == {
        "gpu": "123.00",
        "host": "20.00",
        "services": "40.00",
        "support": "9.00",
        "purchases": "55.00",
        "tax": "12.50",
        "credits": "-25.00",
    }
    assert found.total == Decimal("234.50") == sum(found.shown.values())
    assert (found.effective, found.lines, found.rows) == (Decimal("289.50"), 11, 11)
    assert (found.provider, found.account, found.period) == ("AWS", "main", MARCH)


def test_parts_of_cents_add_up_to_the_rounded_total():
    load_rows(bill(1, "3.244884"), other("2.743510"))
    found = only()
    assert found.total == Decimal("5.99")
    assert (found.shown["gpu"], found.shown["services"]) == (Decimal("3.25"), Decimal("2.74"))


@settings(max_examples=examples(100))
@given(
    st.lists(
        st.tuples(st.sampled_from(list(PARTS)), st.decimals(-(10**9), 10**9, places=18)),
        max_size=12,
    )
)
def test_any_parts_are_whole_cents_that_add_up_to_the_rounded_total(amounts):
    found = Bill("AWS", "main", MARCH)
    for part, amount in amounts:
        found.add(part, "Other", amount, amount)
    assert sum(found.shown.values()) == found.total
    assert abs(found.total - sum(amount for _, amount in amounts)) <= Decimal("0.005")
    for part, usd in found.shown.items():
        assert abs(usd - found.parts.get(part, 0)) < Decimal("0.01")


def test_the_real_sample_is_reconciled_to_the_sum_of_all_its_rows():
    load([Source("focus.csv", REAL / "focus_1.0_sample_first500.csv")])
    [found] = tie(Span(date(2024, 9, 1), date(2024, 10, 1))).bills
    assert found.exact.quantize(Decimal("0.000001")) == Decimal("5.988394")
    assert found.parts["gpu"].quantize(Decimal("0.000001")) == Decimal("3.244884")
    assert sum(found.shown.values()) == found.total == Decimal("5.99")
    assert found.effective.quantize(Decimal("0.000001")) == Decimal("2.000000")
    assert (found.rows, len(found.days), found.elsewhere) == (500, 30, {})


def test_accounts_and_periods_are_bills_of_their_own():
    load_rows(
        bill(1), bill(1, "20", account="lab"), bill(1, "5", provider="GCP"),
        bill(1, "7", period=APRIL, day_date=date(2025, 4, 3)),
    )  # fmt: skip
    assert [(b.provider, b.account, b.total) for b in tie().bills] == [
        ("AWS", "lab", Decimal(20)),
        ("AWS", "main", Decimal(10)),
        ("GCP", "main", Decimal(5)),
    ]
    assert [b.total for b in tie(None).bills][0] == Decimal(7)
    assert [b.total for b in tie(providers=("GCP",)).bills] == [Decimal(5)]


def test_a_period_is_shown_whole_whatever_part_of_it_the_range_holds():
    load_rows(*whole_month())
    assert [b.total for b in tie(Span(date(2025, 3, 30), date(2025, 4, 5))).bills] == [Decimal(310)]


# The invoice


def test_an_invoice_meets_its_bill_under_any_spelling():
    NameAlias.objects.create(kind="provider", alias="Amazon Web Services", name="AWS")
    load_rows(*whole_month())
    make_invoice("310", provider="amazon  web services", account="MAIN")
    assert (only().state, only().difference) == ("matches", Decimal("0.00"))


def test_a_cent_is_a_difference():
    load_rows(*whole_month())
    make_invoice("310.01")
    assert (only().state, only().difference) == ("differs", Decimal("0.01"))


def test_nothing_is_hidden_bills_invoices_and_entered_figures_each_stand_alone():
    load_rows(bill(1))
    make_invoice("99", provider="Azure", account="A1")
    make_cost("2025-03-05", "12.34", provider="Lambda")
    found = tie()
    assert [(b.provider, b.state, b.total) for b in found.bills] == [
        ("AWS", "no_invoice", Decimal("10.00")),
        ("Azure", "no_bill", Decimal("0.00")),
        ("Lambda", "no_invoice", Decimal("12.34")),
    ]
    assert found.bills[2].parts == {"entered": Decimal("12.34")}


def test_the_tie_out_sums_what_is_invoiced_billed_and_apart():
    load_rows(*whole_month(), other("12", "tax"), bill(1, "20", account="lab"), bill(1, "5", account="x"))
    make_invoice("310")
    make_invoice("20.00", account="lab")
    make_invoice("7.77", account="old")
    found = tie()
    assert (found.billed, found.billed_with_invoice, found.invoiced) == (
        Decimal("347.00"),
        Decimal("342.00"),
        Decimal("337.77"),
    )
    assert found.difference == Decimal("-4.23")  # −12.00 of tax and 7.77 without a bill
    assert (found.apart, found.unexplained) == (Decimal("19.77"), Decimal("7.77"))
    numbers = {state: len(found.in_state(state)) for state in STATES}
    assert numbers == {"matches": 1, "differs": 1, "no_invoice": 1, "no_bill": 1}


# Figures that no line brought


def test_an_entered_figure_belongs_to_the_only_account_and_to_none_of_several():
    load_rows(*whole_month())
    make_cost("2025-03-05", "12.34", gpu_type="H200")
    assert (only().shown["entered"], only().total) == (Decimal("12.34"), Decimal("322.34"))
    load_rows(bill(1, account="lab"))
    assert [(b.account, b.total) for b in tie().bills] == [
        ("", Decimal("12.34")),
        ("lab", Decimal("10.00")),
        ("main", Decimal("310.00")),
    ]


def test_a_figure_that_was_entered_where_lines_stand_too_is_not_counted_twice():
    make_cost("2025-03-01", "11.00")
    load_rows(bill(1, "10"), on_conflict="keep")
    assert (only().total, dict(only().parts)) == (Decimal("10.00"), {"gpu": Decimal(10)})


def test_a_period_entry_is_held_against_the_invoice_on_billed_days_too():
    load_rows(bill(1, "10", hours=None))
    make_entry("2025-03-01", "2025-03-31", "310.00")
    assert tie().billed == 320


def test_what_was_entered_beside_a_bill_is_held_against_the_invoice():
    load_rows(bill(1, "10"))
    make_cost("2025-03-01", "7.00", provider="Amazon")
    NameAlias.objects.create(kind="provider", alias="Amazon", name="AWS")
    assert tie().billed == 17


def test_a_figure_that_was_added_to_a_bill_is_no_bill_of_its_own():
    make_cost("2025-03-01", "11.00")
    load_rows(bill(1, "10"), on_conflict="add")
    assert dict(only().parts) == {"gpu": Decimal(10), "entered": Decimal(11)}


def test_a_period_entry_is_held_against_its_invoice_and_an_own_rate_is_nobodys_bill():
    span = {"first_day": date(2025, 3, 1), "last_day": date(2025, 3, 31)}
    PeriodEntry.objects.create(provider="Lambda", gpu_type="H100", cost_usd=Decimal("3100.00"), **span)
    Rate.objects.create(
        provider="fox", gpu_type="a100", per="gpu_month", usd=Decimal(100), gpus=Decimal(2), **span
    )
    make_invoice("3100", provider="lambda", account="")
    found = tie()
    [cloud] = found.bills
    assert (cloud.provider, cloud.state, cloud.total) == ("Lambda", "matches", Decimal("3100.00"))
    assert found.internal == Decimal("200.00")


# What could explain a difference


def differing(invoice: str, *rows: Any) -> list[str]:
    load_rows(*(rows or whole_month()))
    make_invoice(invoice)
    return said(only())


@pytest.mark.parametrize(
    ("kind", "usd", "words"),
    [
        ("tax", "24.80", "tax"),
        ("credit", "-15", "credits"),
        ("purchase", "55", "purchases"),
        ("host", "3.21", "the host"),
    ],
)
def test_an_invoice_without_a_part_of_the_bill(kind, usd, words):
    found = differing("310", *whole_month(), other(usd, kind))
    assert found == [f"The invoice seems not to include {words}: {Decimal(usd):.2f}"]


def test_an_invoice_without_support():
    found = differing("310", *whole_month(), other("29", service_category="Support"))
    assert found == ["The invoice seems not to include support: 29.00"]


def test_an_invoice_without_two_parts():
    found = differing("330", *whole_month(), other("12", "tax"), other("-5", "credit"), other("20", "host"))
    assert found == ["The invoice seems not to include tax and credits: 7.00"]


def test_an_invoice_of_the_gpus_alone():
    rows = [*whole_month(), other("12", "tax"), other("-5", "credit"), other("20", "host"), other("50")]
    assert differing("310", *rows) == ["The total typed in is that of the GPUs alone: 310.00"]


def test_an_invoice_without_one_service():
    services = [other("40", service_category="Storage"), other("8", service_category="Networking")]
    rows = [*whole_month(), *services]
    assert differing("350", *rows) == [
        "The invoice seems not to include the service category Networking: 8.00"
    ]


def test_an_invoice_with_a_part_once_more():
    assert differing("334", *whole_month(), other("12", "tax")) == [
        "The invoice is higher by tax once more: 12.00"
    ]


def test_an_invoice_without_what_was_entered_by_hand():
    make_cost("2025-03-05", "12.34", gpu_type="H200")
    assert differing("310") == ["The invoice seems not to include what was entered by hand: 12.34"]


def test_an_invoice_with_what_was_entered_and_names_no_account():
    load_rows(bill(1, account="lab"))
    make_cost("2025-03-05", "12.34", gpu_type="H200")
    load_rows(*whole_month())
    make_invoice("322.34")
    main = next(b for b in tie().bills if b.account == "main")
    assert "The invoice seems to include what was entered by hand and names no account: 12.34" in said(main)


def test_the_amortised_total():
    covered = bill(1, "0", kind="committed", effective="70.25")
    paid = other("55", "purchase", effective="0")
    assert differing("380.25", *whole_month(), covered, paid)[0] == (
        "The total typed in is the amortised one, with commitments spread over their hours: 380.25"
    )


def test_a_whole_dollar_total():
    rows = [*whole_month(), other("0.30", "tax"), other("0.25", "host")]
    assert differing("311", *rows) == ["The total typed in is in whole dollars: 0.45"]


def test_swapped_digits():
    assert "Two digits of the total typed in seem to be swapped: 310.00" in differing("301")


def test_days_that_the_bill_lacks():
    rows = [bill(day) for day in range(1, 21)]
    assert differing("310", *rows) == [
        "Nothing is stored for 21–31 Mar 2025",
        "Nothing that is stored comes to exactly this difference",
    ]


def test_days_that_lack_here_and_there():
    rows = [bill(day) for day in range(1, 32) if day not in (3, 5, 6, 9, 11, 12)]
    assert differing("310", *rows)[0] == (
        "Nothing is stored for 3 Mar 2025, 5–6 Mar 2025, 9 Mar 2025 and 2 more days"
    )


def test_days_that_lack_are_told_before_an_invoice_is_typed_in():
    load_rows(*(bill(day) for day in range(1, 31)))
    assert said(only()) == ["Nothing is stored for 31 Mar 2025"]


def test_a_period_that_is_not_over(as_of):
    as_of("2025-03-12 12:00")
    load_rows(*(bill(day) for day in (1, 2, 4, 11)))
    assert said(only()) == [
        "The billing period runs until 31 Mar 2025; the bill has lines up to 11 Mar 2025",
        "Nothing is stored for 3 Mar 2025 and 5–10 Mar 2025",
    ]


def test_no_bill_was_imported():
    make_invoice("99")
    assert said(only()) == ["No bill of AWS, account main, is imported for the period from 1 Mar 2025"]


def test_the_bill_stands_under_another_account():
    load_rows(*whole_month(), bill(1, "20", account="lab"))
    make_invoice("99", account="")
    nameless = next(b for b in tie().bills if not b.account)
    assert said(nameless)[1] == (
        "Bills of this period stand under account lab and account main: one may be meant"
    )
    Invoice.objects.update(total_usd=Decimal("20"))
    nameless = next(b for b in tie().bills if not b.account)
    assert said(nameless)[0] == "The invoice asks for the total of account lab: 20.00"
    Invoice.objects.update(total_usd=Decimal("330"))
    nameless = next(b for b in tie().bills if not b.account)
    assert said(nameless)[0] == "The invoice asks for the total of account lab and account main: 330.00"


def test_the_invoice_names_another_first_day():
    load_rows(*whole_month())
    make_invoice("310", "2025-03-15")
    stray = next(b for b in tie().bills if b.invoice)
    assert said(stray)[1] == "The bill of this account begins on 1 Mar 2025"


def test_lines_dated_outside_their_period_are_known_as_such():
    rows = [*whole_month(), other("-8", "credit", day_date=date(2025, 4, 2)), other("-4", "credit")]
    assert differing("306", *rows) == [
        "The invoice seems not to include the lines dated outside its billing period: -8.00"
    ]
    assert only().elsewhere == {date(2025, 4, 2): Decimal(-8)}


def test_a_refund_of_this_period_on_the_next_bill():
    refund = other("-25", "credit", period=APRIL, day_date=date(2025, 3, 20))
    april = other("-3", "credit", period=APRIL, day_date=date(2025, 4, 1))
    assert differing("285", *whole_month(), refund, april) == [
        "The invoice seems to include lines of this period that are on the bill of 1–30 Apr 2025: -25.00"
    ]


def test_a_refund_a_month_late():
    refund = other("-25", "credit", period=APRIL, day_date=date(2025, 4, 20))
    assert differing("285", *whole_month(), refund) == [
        "The invoice is lower by the credits that stand on the bill of 1–30 Apr 2025: -25.00"
    ]


def test_two_periods_that_differ_the_other_way():
    load_rows(*whole_month(), bill(1, "50", period=APRIL, day_date=date(2025, 4, 1)))
    make_invoice("300.50")
    make_invoice("59.50", "2025-04-01")
    march = tie().bills[-1]
    assert said(march)[0] == (
        "1–30 Apr 2025 differs by as much the other way: something may stand in the wrong period: 9.50"
    )


def test_two_bills_that_an_alias_brought_together():
    load_rows(*whole_month())
    load_rows(*whole_month(provider="Amazon"))
    NameAlias.objects.create(kind="provider", alias="Amazon", name="AWS")
    make_invoice("310")
    assert only().total == Decimal(620)
    assert "2 bills of this account and period are stored, under AWS main and Amazon main" in said(only())


def test_two_totals_that_an_alias_brought_together():
    load_rows(*whole_month())
    make_invoice("310")
    make_invoice("10", provider="Amazon")
    NameAlias.objects.create(kind="provider", alias="Amazon", name="AWS")
    assert (only().invoiced, only().difference) == (Decimal("320.00"), Decimal("10.00"))
    assert "2 totals are typed in and added up, under AWS main and Amazon main" in said(only())


def test_a_bill_that_matches_needs_no_reason():
    assert differing("310") == []


def test_days_as_stretches():
    days = [date(2025, 3, day) for day in (1, 2, 5, 7, 8, 9)]
    assert [(span.start.day, span.last.day) for span in spans_of(days)] == [(1, 2), (5, 5), (7, 9)]
    assert list(spans_of([])) == []


def test_a_tie_out_asks_a_fixed_number_of_times(django_assert_max_num_queries):
    for n in range(4):
        load_rows(bill(1, account=f"a{n}"))
        make_invoice("10", account=f"a{n}")
    make_cost("2025-03-05", "12.34", gpu_type="H200")
    names = Names.load()
    with django_assert_max_num_queries(9):
        assert len(tie_out(Scope(MARCH), names, reasons).bills) == 5
