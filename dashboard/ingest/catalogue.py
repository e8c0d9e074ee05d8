"""Which GPU stands behind an instance type or a SKU of a cloud bill.

The facts are in gpu_catalogue.csv, one row per name that bills use. `kind` is gpu (an instance,
gpu_count GPUs an hour), sku (already priced per GPU-hour), accelerator or fpga (no GPUs: never
GPU rows). A model that exists in several memory sizes carries its size: A100-40GB, A100-80GB.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

from dashboard.ingest.values import key

FILE = Path(__file__).with_name("gpu_catalogue.csv")


@dataclass(frozen=True, slots=True)
class Gpu:
    """What one hour of the named thing is: `count` GPU-hours of `gpu_type`."""

    gpu_type: str
    count: Decimal
    provider: str


@cache
def _entries() -> dict[str, dict[str, Gpu]]:
    kinds: dict[str, dict[str, Gpu]] = {}
    with FILE.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            gpu = Gpu(row["gpu_type"], Decimal(row["gpu_count"]), row["provider"])
            kinds.setdefault(row["kind"], {})[key(row["instance_type"])] = gpu
    return kinds


def of_instance(instance_type: str) -> Gpu | None:
    """SageMaker's `ml.g5.xlarge` is a g5.xlarge."""
    return _entries()["gpu"].get(key(instance_type).removeprefix("ml."))


def of_sku(name: str) -> Gpu | None:
    """An OCI part number or the beginning of a GCP SKU's description."""
    return _entries()["sku"].get(key(name))


def gpu_types() -> list[str]:
    return sorted({gpu.gpu_type for kind in ("gpu", "sku") for gpu in _entries()[kind].values()})


def providers() -> list[str]:
    return sorted({gpu.provider for kind in _entries().values() for gpu in kind.values()})


_LIKELY = re.compile(
    r"(?:ml\.)?(?:p|g|gr)[2-9]\w*(?:-[a-z0-9]+)?\.\S+|standard_n[cdgv]\S+|(?:bm|vm)\.gpu\S+|a[2-9]x?-\w+gpu-\S+|g[2-9]-\S+",
    re.IGNORECASE,
)


def looks_like_gpu(instance_type: str) -> bool:
    """Named like the GPU families, but nothing that the catalogue knows: a case for a person."""
    name = instance_type.strip()
    known = any(key(name).removeprefix("ml.") in names for names in _entries().values())
    return not known and _LIKELY.fullmatch(name) is not None
