"""The page that Prometheus reads: requests, imports, how far the roll-ups and the data are behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, transaction
from django.db.models import Count, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from .. import audit, current, metrics
from ..clock import today
from ..models import AuditEvent, GpuTimeChange
from ..naming import Names
from ..reports.freshness import Freshness

MOST_COUNTED = 100_000
USED: dict[str, date] = {}  # by this process
OUTCOMES = {"imported": "committed", "import refused": "refused", "undone": "undone"}


@require_safe
@never_cache
@login_not_required
def page(request: HttpRequest) -> HttpResponse:
    token = settings.HELIOX_METRICS_TOKEN
    if not token:
        raise Http404
    if not constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {token}"):
        raise PermissionDenied("Without its token, /metrics tells nothing.")
    tell_of_use(current.asker().address)
    return HttpResponse(metrics.page(Stored()), content_type="text/plain; version=0.0.4; charset=utf-8")


def tell_of_use(address: str) -> None:
    """Once a day for each address that has it; a database that takes nothing in is told of all the same."""
    if USED.get(address) != today():
        USED[address] = today()
        with suppress(DatabaseError), transaction.atomic():
            audit.record("token", "/metrics")


class Stored:
    """What the database tells, asked anew each time."""

    def collect(self) -> Iterator[Any]:
        yield from imports()
        yield unsettled()
        yield age_of_data()


def imports() -> Iterator[Any]:
    """As far as the audit reaches back, whichever process imported."""
    from prometheus_client.core import CounterMetricFamily

    found = AuditEvent.objects.filter(action__in=OUTCOMES).order_by().values_list("action")
    runs = CounterMetricFamily("heliox_imports", "Imports by outcome", labels=["outcome"])
    rows = CounterMetricFamily("heliox_imported_rows", "Rows that imports changed")
    changed = 0
    for action, count, sum_of_rows in found.annotate(Count("id"), Sum("rows")):
        runs.add_metric([OUTCOMES[action]], count)
        changed += sum_of_rows or 0
    rows.add_metric([], changed)
    yield runs
    yield rows


def unsettled() -> Any:
    from prometheus_client.core import GaugeMetricFamily

    words = f"Noted changes of jobs that are not settled into the roll-ups, counted up to {MOST_COUNTED}"
    return GaugeMetricFamily(
        "heliox_roll_up_unsettled", words, GpuTimeChange.objects.order_by()[:MOST_COUNTED].count()
    )


def age_of_data() -> Any:
    from prometheus_client.core import GaugeMetricFamily

    words = "Days since the last day through which a provider's bill is complete"
    ages = GaugeMetricFamily("heliox_data_age_days", words, labels=["provider"])
    for one in Freshness.load(Names.load()).providers:
        ages.add_metric([one.provider], (today() - one.through).days)
    return ages
