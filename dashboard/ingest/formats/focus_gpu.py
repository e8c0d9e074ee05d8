"""Is this usage row GPU time, of what kind, and how many GPU-hours?

A GPU row was used (ChargeCategory Usage) in compute or AI, by units of time or by the piece, and names
an instance type or a SKU that the catalogue knows. Searching for "GPU" in the text would not do: SKU ids and
storage rows contain it.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from dashboard.ingest import catalogue, values
from dashboard.ingest.catalogue import Gpu
from dashboard.ingest.formats.columns import in_column
from dashboard.ingest.formats.focus_json import json_object

SERVICES = frozenset({"compute", "ai and machine learning"})


class Named(NamedTuple):
    """What the words of a row name: a GPU, its host, or what looks like a GPU and is in no catalogue."""

    gpu: Gpu | None = None
    host: bool = False
    spot: bool = False
    unknown: str | None = None


def usage(fields, named: Named) -> tuple[str, Decimal | None]:
    """(kind, GPU-hours) of a row whose ChargeCategory is Usage, of one of SERVICES."""
    if named.gpu is None:
        return ("host" if named.host else "non_gpu"), None
    quantity, column, unit = _quantity(fields)
    if unit is None:
        return "non_gpu", None
    kind = _kind(fields, named.spot)
    if kind == "unused_commitment" or quantity is None or unit.hours is None:
        return kind, None
    amount = in_column(column, lambda value: values.decimal(value, exponent=True), quantity)
    return kind, amount * unit.hours[0] * (1 if unit.per_gpu else named.gpu.count) / unit.hours[1]


# What the row names


def named_in(fields, provider: str) -> Named:
    return _named(
        provider,
        fields.SkuId,
        fields.ChargeDescription,
        fields.SkuPriceDetails,
        fields.x_SkuDetails,
        fields.x_UsageType,
    )


@lru_cache(16384)
def _named(
    provider: str, sku_id: str, description: str, details: str, sku_details: str, usage_type: str
) -> Named:
    if _HOST.match(description):
        return Named(host=True)
    head = _sku_head(description)
    gpu = catalogue.of_sku(sku_id) or catalogue.of_sku(head)
    names = instance_names(details, sku_details, usage_type)
    if gpu is None:
        if _is_surcharge(description, details, sku_details, usage_type):
            return Named()
        gpu = next(filter(None, map(catalogue.of_instance, names)), None)
    if gpu is None and values.key(provider) in AWS_NAMES:
        gpu = _of_aws_description(description)
    if gpu is None:
        like_a_gpu = [head] if _NVIDIA.match(head) else filter(catalogue.looks_like_gpu, names)
        return Named(unknown=next(iter(like_a_gpu), None))
    return Named(gpu, spot="SpotUsage:" in usage_type or _SPOT.search(description) is not None)


def instance_names(details: str, sku_details: str, usage_type: str) -> list[str]:
    """Where FOCUS 1.1 and later, Azure's 1.0 and AWS say the instance type, in this order."""
    priced, described = _json(details), _json(sku_details)
    names = [priced.get("InstanceType"), priced.get("x_ServiceType"), described.get("ServiceType")]
    names.append(usage_type.rpartition(":")[2] if ":" in usage_type else None)  # USE1-BoxUsage:p4d.24xlarge
    return [name for name in names if isinstance(name, str) and name.strip()]


def _json(text: str) -> dict:
    return (json_object(text) if text.startswith("{") else None) or {}


_SKU_END = re.compile(r" (?:running in|attached to|in) ", re.IGNORECASE)
_SKU_PREFIX = re.compile(r"(?:reserved|spot preemptible|spot) ", re.IGNORECASE)


def _sku_head(description: str) -> str:
    """Of GCP's `Nvidia Tesla A100 GPU attached to Spot Preemptible VMs running in …` the first words."""
    return _SKU_PREFIX.sub("", _SKU_END.split(description.strip(), maxsplit=1)[0], count=1)


_NVIDIA = re.compile(r"(?:\w+ )?nvidia .*\bgpu\b", re.IGNORECASE)
_SPOT = re.compile(r"\bspot\b", re.IGNORECASE)

# Fees by the hour beside an instance, and AWS' totals of what is reserved, used or not and free of charge:
# they name its type, and its hours are on other rows.
_SURCHARGE_USAGE = frozenset({"EBSOptimized", "SoftwareUsage", "CPUCredits", "Reservation", "DedicatedRes"})
_SURCHARGE_WORDS = re.compile(r"\b(?:EBS|software|marketplace|Mbps)\b", re.IGNORECASE)


def _is_surcharge(description: str, details: str, sku_details: str, usage_type: str) -> bool:
    operation = usage_type.partition(":")[0].rpartition("-")[2]
    azure = _json(sku_details).get("UsageType") or _json(details).get("x_UsageType") or ""
    return (
        operation in _SURCHARGE_USAGE
        or str(azure).endswith("_SW")  # Azure's licences: ComputeHR_SW
        or _SURCHARGE_WORDS.search(description) is not None
    )


AWS_NAMES = frozenset({"aws", "amazon", "amazon web services", "amazon web services, inc."})


def _of_aws_description(description: str) -> Gpu | None:
    """`$1.624 per On Demand Linux g5.4xlarge Instance Hour`: AWS 1.0 says it nowhere else."""
    tokens = re.split(r"[^\w.-]+", description)
    found = (catalogue.of_instance(token) for token in tokens if "." in token)
    return next((gpu for gpu in found if gpu and gpu.provider == "AWS"), None)


# Cores and memory that GCP bills beside the GPU: `A2 Instance Core running in Americas`.
_HOST = re.compile(
    r"(?!Commitment\b).*\b(?:A[234]\w*|G[24]\w*) (?:\w+ )?Instance (?:Core|Ram|Memory)\b", re.IGNORECASE
)


# Kinds


def _kind(fields, spot: bool) -> str:
    status = fields.CommitmentDiscountStatus.strip().lower()
    pricing = fields.PricingCategory.strip().lower()
    if status == "unused":
        return "unused_commitment"
    if status == "used" or pricing == "committed":
        return "committed"
    if pricing == "dynamic" or spot:
        return "spot"
    return "on_demand"


# Hours


class Unit:
    """hours: one unit as a fraction (numerator, denominator) of hours, None where it has no fixed length."""

    __slots__ = ("hours", "per_gpu")

    def __init__(self, hours: tuple[int, int] | None, per_gpu: bool):
        self.hours = hours
        self.per_gpu = per_gpu


_TIME_UNITS: dict[str, tuple[int, int] | None] = {
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), (1, 1)),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), (1, 60)),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), (1, 3600)),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), (1, 3_600_000)),
    **dict.fromkeys(("d", "day", "days"), (24, 1)),
    **dict.fromkeys(("mo", "month", "months", "year", "years"), None),
}
_BY_THING = frozenset(
    ("instance", "instances", "vm", "vms", "unit", "units", "node", "nodes", "count", "quantity", "per")
)
_GPUS = frozenset({"gpu", "gpus"})


PIECES = Unit(None, per_gpu=False)


@lru_cache(1024)
def unit_of(text: str) -> Unit | None:
    """`Hours`, `Hour(s)`, `100 Hours`, `GPU-Hours`, `Units/Hour`; PIECES for `Units`.

    None for what is neither, `vCPU-Hours` too.
    """
    words = re.split(r"[\s_/-]+", text.strip().lower().replace("(s)", "s"))
    times = 1
    if words[0].isascii() and words[0].isdigit() and len(words[0]) < 8:
        times = int(words.pop(0))
    per_gpu = not _GPUS.isdisjoint(words)
    rest = [word for word in words if word not in _BY_THING and word not in _GPUS]
    if not rest:
        return PIECES
    if len(rest) != 1 or rest[0] not in _TIME_UNITS:
        return None
    length = _TIME_UNITS[rest[0]]
    return Unit(length and (length[0] * times, length[1]), per_gpu)


Measure = tuple[str | None, str, Unit | None]  # an amount, its column, its unit


def _quantity(fields) -> Measure:
    """The first of them in a unit of time. The unit is None where the row is measured in something else."""
    said: list[Measure] = []
    for amount, unit in (("Consumed", "ConsumedUnit"), ("Pricing", "PricingUnit")):
        column = f"{amount}Quantity"
        value, name = getattr(fields, column), getattr(fields, unit)
        if not _null(name):
            said.append((None if _null(value) else value, column, unit_of(name)))
    complete = [measure for measure in said if measure[0] is not None]
    return min(complete or said or [(None, "", PIECES)], key=_from_time)


def _from_time(measure: Measure) -> int:
    unit = measure[2]
    return 2 if unit is None else int(unit is PIECES)


def _null(value: str) -> bool:
    return not value or value.strip().upper() in ("", "NULL")
