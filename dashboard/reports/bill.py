"""The lines of the bill behind the snapshots, summed per day, kind and account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ..models import BillLine
from ..models.exact import PreciseSum
from ..naming import Names
from ..scope import Scope
from .spend import narrowed

MOST = 200


@dataclass(frozen=True, slots=True)
class Line:
    """USD at full precision; gpu_hours None where the charge meters none."""

    day: date
    provider: str
    gpu_type: str
    kind: str
    account: str
    sub_account: str
    tag: str
    billed: Decimal
    effective: Decimal
    gpu_hours: Decimal | None


def lines_behind(scope: Scope, names: Names, most: int = MOST) -> list[Line]:
    """GPU lines of current deliveries within the scope, the dearest first."""
    lines = narrowed(BillLine.objects.current().gpu(), scope, names)
    if scope.span:
        lines = lines.filter(day__gte=scope.span.start, day__lt=scope.span.end)
    keys = ("day", "provider", "gpu_type", "kind", "account", "sub_account", "tag")
    sums = (
        lines.order_by()
        .values_list(*keys)
        .annotate(PreciseSum("billed"), PreciseSum("effective"), PreciseSum("gpu_hours"))
    )
    labels = dict(BillLine.Kind.choices)
    found = [
        Line(day, names.provider(provider), names.gpu_type(gpu_type), labels.get(kind, kind), *rest)
        for day, provider, gpu_type, kind, *rest in sums
    ]
    found.sort(
        key=lambda line: (-abs(getattr(line, scope.basis)), line.day, line.provider, line.gpu_type, line.kind)
    )
    return found[:most]
