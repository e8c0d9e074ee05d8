"""The headers of every page, graded, and what a real browser says of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from dashboard.models import Job, Team

from .conftest import PROJECT
from .observatory import graded, score
from .test_access_matrix import ROUTES, SIGN_IN, address, clients, quiet
from .test_browser_barriers import PAGES
from .test_settings import PRODUCTION

__all__ = ["address", "clients", "quiet"]  # fixtures
pytestmark = pytest.mark.django_db
ENOUGH = 130


@pytest.fixture
def production(settings: Any) -> None:
    """What the settings say where there is HTTPS."""
    settings.SECURE_HSTS_SECONDS = 365 * 24 * 3600
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"


def by_https(client: Client, path: str) -> Any:
    return client.get(path, secure=True)


def test_every_answer_has_at_least_130_of_145_points(production, clients, address):
    """Pages, files, forms, refusals and errors, the admin's too; and no cache keeps any."""
    root = Client()
    root.force_login(User.objects.get(username="root"))
    for client in (root, Client()):
        for path in [
            *map(address, ROUTES),
            "/costs/?_export=csv",
            "/costs/?_export=xlsx",
            "/nowhere/",
            "/?q=%00",
        ]:
            answer = by_https(client, path)
            assert score(answer) >= ENOUGH, (path, answer.status_code, graded(answer))
            assert "no-store" in answer["Cache-Control"], path


def test_the_sign_in_with_its_cookies_has_135_points(production, client, viewer):
    page = by_https(client, SIGN_IN)
    assert page.cookies and score(page) == 135
    form = {"username": "vera", "password": "correct horse"}
    answer = client.post(SIGN_IN, form, secure=True)
    assert set(answer.cookies) == {"__Host-sessionid", "__Host-csrftoken", "__Host-known"}
    assert score(answer) == 135


def test_the_isolating_headers_are_on_every_answer(clients, address):
    for path in (SIGN_IN, "/", "/admin/", "/nowhere/", "/healthz", "/costs/?_export=csv"):
        headers = clients["superuser"].get(path).headers
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "camera=()" in headers["Permissions-Policy"]


def test_static_files_may_be_kept(client):
    answer = client.get("/static/css/heliox.css")
    assert answer.status_code == 200
    assert "no-store" not in answer["Cache-Control"]
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"


def test_production_serves_what_is_graded_here():
    """The settings as production reads them: the fixture above says nothing that they do not."""
    names = [
        *("SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_HSTS_PRELOAD"),
        *("SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "CSRF_COOKIE_SECURE"),
        *("SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME"),
    ]
    show = (
        "import json; from django.conf import settings; "
        f"print(json.dumps({{name: getattr(settings, name) for name in {names}}}))"
    )
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "heliox_site.settings"} | PRODUCTION
    shown = subprocess.run(
        [sys.executable, "-c", show], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(shown.stdout) == {
        "SECURE_HSTS_SECONDS": 365 * 24 * 3600,
        "SECURE_HSTS_INCLUDE_SUBDOMAINS": True,
        "SECURE_HSTS_PRELOAD": True,
        "SECURE_SSL_REDIRECT": True,
        "SESSION_COOKIE_SECURE": True,
        "SESSION_COOKIE_HTTPONLY": True,
        "CSRF_COOKIE_SECURE": True,
        "SESSION_COOKIE_NAME": "__Host-sessionid",
        "CSRF_COOKIE_NAME": "__Host-csrftoken",
    }


# The grading itself


def answer_with(headers: dict[str, str], page: str = "", **cookies: dict[str, Any]) -> Any:
    answer = HttpResponse(page)
    for name, value in headers.items():
        answer[name] = value
    for name, facts in cookies.items():
        answer.set_cookie(name, "x", **facts)
    return answer


GOOD = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; frame-ancestors 'none'",
    "Strict-Transport-Security": "max-age=31536000",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.mark.parametrize(
    ("changes", "points"),
    [
        ({}, 130),
        ({"Content-Security-Policy": ""}, 100 - 25 - 20),
        ({"Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'"}, 125),
        ({"Content-Security-Policy": "default-src 'self' 'unsafe-inline'; frame-ancestors 'none'"}, 80),
        ({"Strict-Transport-Security": ""}, 80),
        ({"Strict-Transport-Security": "max-age=3600"}, 120),
        ({"Referrer-Policy": "unsafe-url"}, 120),
        ({"X-Content-Type-Options": ""}, 125),
        ({"Access-Control-Allow-Origin": "*"}, 50),
    ],
)
def test_the_grades_are_the_observatorys(changes, points):
    assert score(answer_with(GOOD | changes)) == points


def test_cookies_and_scripts_are_graded_too():
    safe = {"secure": True, "httponly": True, "samesite": "Lax"}
    assert score(answer_with(GOOD, sessionid=safe)) == 135
    assert score(answer_with(GOOD, sessionid=safe | {"httponly": False})) == 70
    assert score(answer_with(GOOD, sessionid=safe | {"secure": False})) == 60
    assert score(answer_with(GOOD, csrftoken=safe | {"samesite": None})) == 80
    assert score(answer_with(GOOD, '<script src="https://elsewhere.example.com/x.js"></script>')) == 50


def test_djangos_own_headers_would_not_do():
    assert score(answer_with({"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff"})) < 60


# In a browser


def test_a_browser_finds_no_violation_on_any_page(company, page, sign_in, admin, complaints):
    """Charts and admin included: what the policy blocks is an error on the console, and fails the test.

    As it fails those of test_browser_barriers.py, which open all the others.
    """
    sign_in(admin)
    keys = {"job": Job.objects.newest_first().first().pk, "team": Team.objects.first().pk}
    page.add_init_script(
        "addEventListener('securitypolicyviolation', (one) => console.error(one.violatedDirective))"
    )
    drawn = 0
    pages = [PAGES[name] for name in ("overview", "costs", "allocation", "usage", "team", "admin form")]
    for path in [*pages, "/accounts/second-factor/", "/admin/auth/user/", "/admin/auth/user/add/"]:
        page.goto(path.format(**keys), wait_until="load")
        drawn += page.locator("canvas").count()
        assert page.evaluate("crossOriginIsolated"), path
    assert drawn >= 6
    assert not complaints


def test_a_violation_would_be_seen(page, sign_in, viewer, complaints):
    sign_in(viewer)
    page.goto("/help/")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">')")
    page.wait_for_timeout(100)
    assert any("Content Security Policy" in one for one in complaints)
    complaints.clear()
