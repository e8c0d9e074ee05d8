"""Teams from a CSV."""

from __future__ import annotations

import pytest

from dashboard.models import Team

from .conftest import make_team
from .loading import job, load_files, load_rows, team

pytestmark = pytest.mark.django_db


def names() -> list[str]:
    return list(Team.objects.order_by("name").values_list("name", flat=True))


def test_new_teams_are_added_once() -> None:
    make_team("Speech")
    summary = load_rows(team("Vision"), team(" speech "), team("VISION", line=4))
    assert (summary.inserted, summary.unchanged, summary.ignored, summary.changes) == (1, 1, 1, 1)
    assert names() == ["Speech", "Vision"]
    assert load_rows(team("Vision")).changes == 0


def test_an_id_renames_its_team() -> None:
    pk = make_team("Visoin").pk
    summary = load_rows(team("Vision", pk))
    assert (summary.updated, summary.examples[0]["changes"]) == (1, {"name": ["Visoin", "Vision"]})
    assert names() == ["Vision"]


def test_a_name_that_another_team_has_is_refused() -> None:
    make_team("Vision")
    summary = load_rows(team("vision", make_team("Visoin").pk))
    assert (summary.refused, summary.committed) == (1, False)
    assert names() == ["Visoin", "Vision"] or names() == ["Vision", "Visoin"]


def test_teams_and_their_jobs_in_one_go() -> None:
    summary = load_files([team("vision")], [job("1")])
    assert (summary.inserted, summary.tables["teams"]["created"]) == (2, 1)
    assert names() == ["vision"]


def test_the_same_file_makes_the_same_teams_in_every_database(db):
    load_rows(team("Vision"))
    first = Team.objects.get().pk
    Team.objects.all().delete()
    load_rows(team("vision "))
    assert Team.objects.get().pk == first


def test_a_name_that_a_renamed_team_left_behind_is_another_team(db):
    load_rows(team("vision"))
    Team.objects.update(name="perception")
    load_rows(team("vision"))
    assert sorted(Team.objects.values_list("name", flat=True)) == ["perception", "vision"]
