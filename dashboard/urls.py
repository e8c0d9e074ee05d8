from __future__ import annotations

from django.urls import path

from .views import (
    accounts,
    allocation,
    bridge,
    contracts,
    costs,
    glossary,
    imports,
    job,
    jobs,
    mappings,
    overview,
    quality,
    reconcile,
    running,
    statement,
    teams,
    unit_prices,
    usage,
)

urlpatterns: list = [
    path("", overview.page, name="overview"),
    path("costs/", costs.page, name="costs"),
    path("allocation/", allocation.page, name="allocation"),
    path("bridge/", bridge.page, name="bridge"),
    path("unit-prices/", unit_prices.page, name="unit_prices"),
    path("contracts/", contracts.page, name="contracts"),
    path("usage/", usage.page, name="usage"),
    path("jobs/", jobs.page, name="jobs"),
    path("jobs/running/", running.page, name="running"),
    path("jobs/<uuid:pk>/", job.page, name="job"),
    path("teams/", teams.page, name="teams"),
    path("teams/<uuid:pk>/", teams.one, name="team"),
    path("teams/<uuid:pk>/statement/", statement.page, name="statement"),
    path("reconcile/", reconcile.page, name="reconcile"),
    path("data-quality/", quality.page, name="quality"),
    path("mappings/", mappings.page, name="mappings"),
    path("imports/", imports.page, name="imports"),
    path("imports/review/<uuid:pk>/", imports.review, name="import_review"),
    path("imports/<int:pk>/", imports.one, name="import"),
    path("imports/<int:pk>/undo/", imports.take_back, name="import_undo"),
    path("help/", glossary.page, name="help"),
    path("theme", accounts.theme, name="theme"),
]
