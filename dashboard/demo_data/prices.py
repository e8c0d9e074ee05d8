"""List prices of GPUs over time in USD per GPU-hour: facts, dated and with their source.

Dates are those on which the source first showed the price. Where a provider sells GPU and host in
one instance, the price is that of the instance divided by its GPUs.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple

KARPENTER = "karpenter-provider-aws (Apache-2.0), us-east-1, Linux on demand"
AUTOSCALER = "kubernetes/autoscaler price table (Apache-2.0), us-central1, undated: taken as valid throughout"
FSDL = "The Full Stack, cloud GPU table (MIT)"
SKYPILOT = "skypilot-catalog v8, undated: taken as valid throughout"


class Price(NamedTuple):
    provider: str
    gpu_type: str
    since: date
    usd: Decimal
    source: str


def price(provider: str, gpu_type: str, since: str, usd: str, source: str) -> Price:
    return Price(provider, gpu_type, date.fromisoformat(since), Decimal(usd), source)


LIST_PRICES = (
    price("AWS", "A10G", "2022-07-05", "1.006", f"{KARPENTER}, g5.xlarge"),
    price("AWS", "A100-40GB", "2022-07-05", "4.096575", f"{KARPENTER}, p4d.24xlarge"),
    price("AWS", "A100-40GB", "2025-06-23", "2.744705", f"{KARPENTER}, p4d.24xlarge"),
    price("AWS", "A100-80GB", "2022-07-05", "5.120719", f"{KARPENTER}, p4de.24xlarge"),
    price("AWS", "A100-80GB", "2025-06-23", "3.430881", f"{KARPENTER}, p4de.24xlarge"),
    price("AWS", "H100-80GB", "2023-08-08", "12.29", f"{KARPENTER}, p5.48xlarge"),
    price("AWS", "H100-80GB", "2025-06-23", "6.88", f"{KARPENTER}, p5.48xlarge"),
    price("AWS", "L4", "2024-04-25", "0.8048", f"{KARPENTER}, g6.xlarge"),
    price("AWS", "L40S", "2024-08-16", "1.861", f"{KARPENTER}, g6e.xlarge"),
    price("GCP", "A100-40GB", "2022-08-04", "3.673385", f"{AUTOSCALER}, a2-highgpu-1g"),
    price("GCP", "A100-80GB", "2022-08-04", "5.0688", f"{AUTOSCALER}, a2-ultragpu-1g"),
    price("GCP", "L4", "2022-08-04", "0.76", f"{AUTOSCALER}, g2-standard-4"),
    price("Lambda", "A100-40GB", "2022-08-04", "1.10", FSDL),
    price("Lambda", "A100-80GB", "2023-02-01", "1.50", FSDL),
    price("Lambda", "H100-80GB", "2023-05-12", "2.40", FSDL),
    price("Lambda", "H100-80GB", "2023-06-20", "1.99", FSDL),
    price("OCI", "A10", "2022-08-04", "2.00", f"{SKYPILOT}, BM.GPU.A10.4"),
    price("OCI", "A100-80GB", "2022-08-04", "4.00", f"{SKYPILOT}, BM.GPU.A100-v2.8"),
    price("OCI", "H100-80GB", "2022-08-04", "10.00", f"{SKYPILOT}, BM.GPU.H100.8"),
)

# Of the price of a GCP instance, what is billed beside the GPU for cores and memory: the instance
# less the GPU's own SKU (2.933908 and 0.56004 USD per hour in us-central1).
HOST_PRICES = {
    ("GCP", "A100-40GB"): Decimal("0.739477"),
    ("GCP", "L4"): Decimal("0.19996"),
}

# Spot prices as last seen; a2-highgpu-1g in The Full Stack's table of 2022-08-04.
SPOT_PRICES = {("GCP", "A100-40GB"): Decimal("1.10")}


def list_price(provider: str, gpu_type: str, day: date) -> Decimal:
    """Valid on that day; before the first known price, the first."""
    known = [p for p in LIST_PRICES if (p.provider, p.gpu_type) == (provider, gpu_type)]
    return max((p for p in known if p.since <= day), key=lambda p: p.since, default=known[0]).usd


def cuts(provider: str) -> dict[date, list[Price]]:
    """The days on which the provider lowered list prices, with the new prices."""
    lowered: dict[date, list[Price]] = {}
    for new in LIST_PRICES:
        before = [p for p in LIST_PRICES if p[:2] == new[:2] and p.since < new.since]
        if new.provider == provider and before and before[-1].usd > new.usd:
            lowered.setdefault(new.since, []).append(new)
    return lowered
