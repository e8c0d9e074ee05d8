"""Signing in and the theme."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

pytestmark = pytest.mark.django_db


def test_signing_in_and_out(client, viewer):
    assert client.get("/accounts/login/").status_code == 200
    wrong = client.post("/accounts/login/", {"username": "vera", "password": "wrong"})
    assert wrong.status_code == 200 and wrong.context["form"].errors
    signed_in = client.post(
        "/accounts/login/", {"username": "vera", "password": "correct horse", "next": "/teams/"}
    )
    assert (signed_in.status_code, signed_in["Location"]) == (302, "/teams/")
    assert client.get("/accounts/logout/").status_code == 405
    assert client.post("/accounts/logout/")["Location"] == "/accounts/login/"
    assert client.get("/teams/")["Location"] == "/accounts/login/?next=/teams/"


def test_signing_in_leads_nowhere_else(client, viewer):
    form = {"username": "vera", "password": "correct horse", "next": "https://example.com/"}
    assert client.post("/accounts/login/", form)["Location"] == "/"


def test_a_user_changes_the_password(client, viewer):
    client.force_login(viewer)
    assert client.get("/accounts/password_change/").status_code == 200
    new = {"new_password1": "battery staple 9", "new_password2": "battery staple 9"}
    wrong = client.post("/accounts/password_change/", {"old_password": "wrong"} | new)
    assert wrong.status_code == 200 and wrong.context["form"].errors["old_password"]
    client.post("/accounts/password_change/", {"old_password": "correct horse"} | new)
    assert client.get("/accounts/password_change/done/").status_code == 200
    assert Client().login(username="vera", password="battery staple 9")


def test_the_admin_has_no_second_sign_in_page(client, viewer, admin):
    assert client.get("/admin/login/")["Location"].startswith("/accounts/login/")
    assert client.post("/admin/login/", {"username": "ada"})["Location"].startswith("/accounts/login/")
    client.force_login(admin)
    assert client.get("/admin/login/")["Location"] == "/admin/"


def test_who_has_no_part_in_the_admin_is_told_so(client, viewer):
    client.force_login(viewer)
    response = client.get("/admin/", follow=True)
    assert response.status_code == 403
    assert "no part in the administration" in response.content.decode()


def test_who_has_no_role_is_told_so(client):
    client.force_login(User.objects.create_user("nobody"))
    response = client.get("/costs/")
    assert response.status_code == 403
    assert "no role yet" in response.content.decode()


@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
def test_the_theme_is_kept_for_a_year(client, viewer, theme):
    client.force_login(viewer)
    response = client.post("/theme", {"theme": theme, "next": "/costs/?preset=all"})
    assert response["Location"] == "/costs/?preset=all"
    assert response.cookies["theme"].value == theme
    assert response.cookies["theme"]["max-age"] == 365 * 24 * 3600
    page = client.get("/").content.decode()
    assert f'data-bs-theme="{theme}"' in page


@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
def test_what_is_refused_is_said_in_the_theme_too(client, viewer, theme):
    client.cookies["theme"] = theme
    client.force_login(viewer)
    for path, status in (("/jobs/?q=%00", 400), ("/imports/", 403), ("/nowhere/", 404)):
        answer = client.get(path)
        assert answer.status_code == status
        assert f'data-bs-theme="{theme}"' in answer.content.decode(), path


@pytest.mark.parametrize(
    "target", ["https://example.com/", "//example.com", "javascript:alert(1)", "", "\\\\x"]
)
def test_the_theme_switch_leads_nowhere_else(client, viewer, target):
    client.force_login(viewer)
    assert client.post("/theme", {"theme": "dark", "next": target})["Location"] == "/"


def test_an_unknown_theme_is_not_kept(client, viewer):
    client.force_login(viewer)
    assert "theme" not in client.post("/theme", {"theme": "<script>"}).cookies
    assert client.get("/theme").status_code == 405


# What cannot be read


@pytest.mark.parametrize(
    "query", ["q=%00", "%00=1", "q=" + "a" * 2001, "&".join(f"q{n}=12345678" for n in range(800))]
)
def test_a_request_that_cannot_be_read_is_refused(client, viewer, query):
    client.force_login(viewer)
    for page in ("/jobs/", "/accounts/login/", "/admin/"):
        response = client.get(f"{page}?{query}")
        assert response.status_code == 400
        assert "cannot be read" in response.content.decode()
