from __future__ import annotations

from django.urls import path

from .views import accounts, costs, glossary, imports, jobs, mappings, overview, teams, usage

urlpatterns: list = [
    path("", overview.page, name="overview"),
    path("costs/", costs.page, name="costs"),
    path("usage/", usage.page, name="usage"),
    path("jobs/", jobs.page, name="jobs"),
    path("jobs/<uuid:pk>/", jobs.one, name="job"),
    path("teams/", teams.page, name="teams"),
    path("teams/<uuid:pk>/", teams.one, name="team"),
    path("mappings/", mappings.page, name="mappings"),
    path("imports/", imports.page, name="imports"),
    path("imports/review/<uuid:pk>/", imports.review, name="import_review"),
    path("imports/<int:pk>/", imports.one, name="import"),
    path("imports/<int:pk>/undo/", imports.take_back, name="import_undo"),
    path("help/", glossary.page, name="help"),
    path("theme", accounts.theme, name="theme"),
]
