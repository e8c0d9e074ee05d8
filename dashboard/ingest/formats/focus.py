"""Bills in FOCUS, the FinOps Open Cost and Usage Specification, versions 1.0 to 1.4.

One row is one bill row: a GPU row where a known GPU instance or SKU was used by the hour, else a row
of its kind without a GPU type, so that the whole invoice is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from dashboard.ingest import values
from dashboard.ingest.formats import focus_gpu
from dashboard.ingest.formats.columns import EMPTY_ROW, Columns, in_column, refusal, wrong_width
from dashboard.ingest.formats.focus_notes import Watch
from dashboard.ingest.formats.focus_tags import tag_value
from dashboard.ingest.records import BillRow, FileRefused, Ignored, Options, Record
from dashboard.ingest.table import Table
from dashboard.ingest.values import BadValue

NAME = "focus"
LABEL = "FOCUS cost and usage export 1.0 to 1.4"
MANDATORY = (
    "BilledCost",
    "EffectiveCost",
    "BillingCurrency",
    "BillingPeriodStart",
    "BillingPeriodEnd",
    "ChargePeriodStart",
    "ChargeCategory",
    "ServiceCategory",
)
PROVIDERS = ("ServiceProviderName", "ProviderName")


def recognises(header: tuple[str, ...]) -> bool:
    names = {"BilledCost", "EffectiveCost", "BillingPeriodStart", "ChargePeriodStart", "ChargeCategory"}
    return len(names & set(header)) >= 3


def version(header: tuple[str, ...]) -> str:
    """The oldest version whose columns explain the header. A minimal 1.2 export looks like 1.0."""
    names = set(header)
    if not names.isdisjoint({"ServiceProviderName", "HostProviderName"}):
        return "1.4" if names.isdisjoint({"ProviderName", "PublisherName"}) else "1.3"
    if not names.isdisjoint({"InvoiceId", "PricingCurrency", "BillingAccountType", "SubAccountType"}):
        return "1.2"
    if not names.isdisjoint({"SkuPriceDetails", "SkuMeter", "ServiceSubcategory", "CapacityReservationId"}):
        return "1.1"
    return "1.0"


class Fields(NamedTuple):
    """The columns that are read, as the file spells them; empty where it has no such column."""

    BilledCost: str
    EffectiveCost: str
    BillingCurrency: str
    BillingAccountId: str
    BillingPeriodStart: str
    BillingPeriodEnd: str
    ChargePeriodStart: str
    ChargeCategory: str
    ServiceCategory: str
    ServiceProviderName: str
    ProviderName: str
    SubAccountId: str
    Tags: str
    ChargeDescription: str
    SkuId: str
    SkuPriceDetails: str
    x_SkuDetails: str
    x_UsageType: str
    PricingCategory: str
    CommitmentDiscountStatus: str
    ConsumedQuantity: str
    ConsumedUnit: str
    PricingQuantity: str
    PricingUnit: str
    ResourceId: str
    RegionId: str


def read(table: Table, options: Options, notes: list[str]) -> Iterator[Record]:
    mandatory = MANDATORY if options.account else (*MANDATORY, "BillingAccountId")
    columns = Columns(table.header, "a FOCUS bill", mandatory)
    if not any(name in columns for name in PROVIDERS):
        raise FileRefused("This looks like a FOCUS bill, but its header lacks 'ServiceProviderName'.")
    notes.append(f"Read as FOCUS {version(table.header)}.")
    return _records(table, _picker(columns), columns.width, options, Watch(notes))


def _picker(columns: Columns) -> Callable[[list[str]], Fields]:
    beyond = columns.width  # where _records puts an empty cell for the columns that are not there
    pick = itemgetter(*(columns.position.get(name, beyond) for name in Fields._fields))
    return lambda row: Fields._make(pick(row))


def _records(table: Table, pick, width: int, options: Options, watch: Watch) -> Iterator[Record]:
    for line, row in table.rows:
        if len(row) != width:
            yield wrong_width(line, row, width)
            continue
        row.append("")
        try:
            yield _bill_row(line, pick(row), options, watch)
        except BadValue as bad:
            yield refusal(line, bad) if any(row) else Ignored(line, EMPTY_ROW)
    watch.conclude(options.team_tag)


def _bill_row(line: int, fields: Fields, options: Options, watch: Watch) -> BillRow:
    if fields.BillingCurrency != "USD":
        _refuse_currency(fields.BillingCurrency)
    provider, account, sub_account = _party(
        fields.ServiceProviderName,
        fields.ProviderName,
        fields.BillingAccountId,
        options.account or "",
        fields.SubAccountId,
    )
    period = _period(fields.BillingPeriodStart, fields.BillingPeriodEnd)
    start = _instant("ChargePeriodStart", fields.ChargePeriodStart)
    watch.time(line, fields.ChargePeriodStart)
    category = _category(fields.ChargeCategory)
    service, may_be_gpu = _service(fields.ServiceCategory)
    billed = _amount("BilledCost", fields.BilledCost)
    effective = _amount("EffectiveCost", fields.EffectiveCost)
    kind, hours, gpu_type = _KINDS[category], None, ""
    if may_be_gpu and category == "usage":
        named = focus_gpu.named_in(fields, provider)
        kind, hours = focus_gpu.usage(fields, named)
        if named.gpu and kind == "non_gpu":
            consumed, priced = fields.ConsumedUnit, fields.PricingUnit
            watch.measured_otherwise(priced if is_null(consumed) else consumed)
        elif named.gpu:
            gpu_type = named.gpu.gpu_type
        watch.usage(kind, gpu_type, hours, named.unknown)
    watch.amounts(billed, effective)
    return BillRow(
        line,
        provider,
        account,
        period,
        start.date(),
        sub_account,
        tag_value(fields.Tags, options.team_tag, watch) if options.team_tag else "",
        kind,
        service,
        gpu_type,
        billed,
        effective,
        hours,
        _charge(start, fields),
    )


# FOCUS has no kind for refunds of its own: an adjustment stands with the credits.
_KINDS = {
    "usage": "non_gpu",
    "purchase": "purchase",
    "credit": "credit",
    "adjustment": "credit",
    "tax": "tax",
}


def is_null(value: str) -> bool:
    return not value or value.isspace() or value.strip().upper() == "NULL"


def _refuse_currency(value: str) -> None:
    if is_null(value):
        raise BadValue(value, "USD", "BillingCurrency")
    if value.strip().upper() != "USD":
        raise BadValue(value, "USD, the only currency that Heliox keeps", "BillingCurrency")


def _present(column: str, value: str) -> str:
    if is_null(value):
        raise BadValue(value, "a value, which FOCUS demands here", column)
    return value


@lru_cache(4096)
def _party(
    service_provider: str, provider: str, account: str, given: str, sub_account: str
) -> tuple[str, str, str]:
    """Provider, billing account, sub-account."""
    column = PROVIDERS[is_null(service_provider)]
    name = _present(column, provider if is_null(service_provider) else service_provider)
    account = given if is_null(account) and given else _present("BillingAccountId", account)
    return (
        in_column(column, lambda value: values.text(value, values.LABEL_LENGTH), name),
        in_column("BillingAccountId", values.text, account),
        "" if is_null(sub_account) else in_column("SubAccountId", values.text, sub_account),
    )


@lru_cache(4096)
def _period(start: str, end: str) -> tuple[date, date]:
    """First day and the day after the last."""
    first, beyond = _boundary("BillingPeriodStart", start), _boundary("BillingPeriodEnd", end)
    if beyond <= first:
        raise BadValue(end, f"a time after the period's start, {first}", "BillingPeriodEnd")
    return first, beyond


def _boundary(column: str, value: str) -> date:
    """The nearest midnight: GCP's months begin at 07:00 or 08:00 UTC, and some ends are 23:59:59."""
    return (in_column(column, values.moment, _present(column, value)) + timedelta(hours=12)).date()


@lru_cache(65536)
def _instant(column: str, value: str) -> datetime:
    """FOCUS times are UTC, also where a file forgets to say so."""
    return in_column(column, values.moment, _present(column, value))


def _charge(start: datetime, fields: Fields) -> int:
    said = fields.ResourceId, fields.RegionId, fields.SkuId, fields.ChargeDescription
    return hash((start, *map(_said, said)))


def _said(value: str) -> str:
    return "" if is_null(value) else value


@lru_cache(64)
def _category(value: str) -> str:
    category = value.strip().lower()
    if category not in _KINDS:
        raise BadValue(value, "one of Usage, Purchase, Tax, Credit, Adjustment", "ChargeCategory")
    return category


@lru_cache(256)
def _service(value: str) -> tuple[str, bool]:
    """The category, and whether GPU time is sold in it."""
    present = _present("ServiceCategory", value)
    name = in_column("ServiceCategory", lambda text: values.text(text, values.LABEL_LENGTH), present)
    return name, name.lower() in focus_gpu.SERVICES


def _amount(column: str, value: str) -> Decimal:
    try:
        return values.decimal(value, exponent=True)
    except BadValue as bad:
        bad.column = column
        if is_null(value):
            bad.expected = "an amount, which FOCUS demands here"
        raise
