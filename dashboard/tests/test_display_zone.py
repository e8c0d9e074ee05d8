"""The display zone formats times. It moves no cent and no hour, on no page and in no file."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone

from dashboard.models import Budget, Team

FILES = {
    "overview": "/?preset=all",
    "costs": "/costs/?preset=all",
    "allocation": "/allocation/?preset=all&by=model&idle=by_use",
    "statement": "/teams/{team}/statement/?month=2025-03",
    "usage": "/usage/?preset=all",
    "teams": "/teams/?preset=all",
    "jobs": "/jobs/?preset=all",
    "running": "/jobs/running/",
    "unit prices": "/unit-prices/?preset=all",
    "waste": "/waste/?preset=all",
    "forecast": "/forecast/",
    "anomalies": "/anomalies/?preset=all",
    "budgets": "/budgets/",
    "bridge": "/bridge/?preset=last30",
    "match": "/reconcile/?view=match&preset=all",
    "gaps": "/reconcile/?view=gaps&preset=all",
    "data quality": "/data-quality/?preset=all",
}


def told(client, url: str) -> tuple[bytes, list[str]]:
    """The file, and the amounts of the page in their order."""
    joint = "&" if "?" in url else "?"
    file = b"".join(client.get(f"{url}{joint}_export=csv").streaming_content)
    page = client.get(url).content.decode()
    main = page[page.index("<main") : page.index("</main>")]
    return file, re.findall(r"−?\$[\d,.]+|[\d,.]+ h\b|[\d.]+ %", main)


@pytest.mark.parametrize("name", FILES)
def test_the_display_zone_changes_no_figure(name, client, finance, company, settings):
    client.force_login(finance)
    Budget.objects.create(first_month="2025-01-01", monthly_usd="30000.00")
    url = FILES[name].format(team=Team.objects.get(name="vision").pk)
    with_utc = told(client, url)
    assert with_utc[0].count(b"\n") > 1
    for zone in ("America/Los_Angeles", "Asia/Kolkata"):
        settings.TIME_ZONE = zone
        timezone.get_default_timezone.cache_clear()
        assert told(client, url) == with_utc
