"""How often pages of one thing, and of imports, ask the database: as often for few rows as for many."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils.timezone import now

from dashboard.ingest import uploads
from dashboard.models import ImportRun

from .conftest import make_team
from .loading import job, load_rows

PAGES = [
    ("/help/", 5),
    ("/teams/{team}/", 79),
    ("/teams/{team}/statement/?month=2025-03", 33),
    ("/imports/", 7),
    ("/imports/{run}/", 6),
    ("/imports/{run}/undo/", 26),
    ("/imports/review/{upload}/", 34),
]


@pytest.mark.parametrize(("url", "most"), PAGES)
def test_a_page_asks_no_more_for_more_rows(client, admin, week, url, most, django_assert_max_num_queries):
    client.force_login(admin)
    for rows in (2, 30):
        log = [job(f"{rows}-{n}", partition=f"p{n}", raw_gpu_type=f"g{n}") for n in range(rows)]
        run = load_rows(*log).run
        ImportRun.objects.bulk_create(
            ImportRun(format="costs", user=admin, files=[{"name": "costs.csv"}], written_at=now())
            for _ in range(rows)
        )
        upload = uploads.keep(admin, [costs_file(rows)], {})
        address = url.format(team=make_team("vision").pk, run=run, upload=upload.pk)
        with django_assert_max_num_queries(most):
            assert client.get(address).status_code == 200


def costs_file(rows: int) -> SimpleUploadedFile:
    lines = (f"2025-03-05,cloud {n},L4,{n}.00" for n in range(rows))
    return SimpleUploadedFile("costs.csv", "\n".join(["date,provider,gpu_type,cost_usd", *lines]).encode())
