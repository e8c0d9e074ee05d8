"""What no database keeps as text, typed into every form: a NUL, and half of a surrogate pair."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

import pytest
from django.contrib import admin as admin_site
from django.contrib.auth.models import User
from django.test import Client

from dashboard.views.mappings import MAPPINGS

from .conftest import make_cost, make_job, make_team, make_usage
from .test_access_matrix import rights_asked_once

__all__ = ["rights_asked_once"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rights_asked_once")]
TEXTS = ["a\0b", "\0", "a\ud800b"]
NAMED = ("note", "reason", "text", "username", "password", "old_password", "new_password1", "new_password2")
BOXES = (*NAMED, "code", "next", "theme", "cluster", "partition", "raw_gpu_type", "account", "team", "alias")
MORE = ("provider", "gpu_type", "number", "total_usd", "was", "id", "day", "place", "sub_account", "tag")
CHOICES = ("seen", "proposed", "on_conflict", "format", "zone", "period_start", "name", "kind", "factor")
FORMS = {
    "/accounts/login/": [{}],
    "/accounts/login/code/": [{}],
    "/accounts/password_change/": [{}],
    "/accounts/second-factor/": [{"what": "begin"}, {"what": "confirm"}, {"what": "remove"}, {}],
    "/theme": [{}],
    "/mappings/": [{"what": what} for what in MAPPINGS] + [{}],
    "/imports/": [{}],
    "/closing/2025/3/": [{"what": "close"}, {"what": "withdraw"}],
    "/anomalies/": [{"do": do} for do in ("note", "delete", "dismiss", "take_back", "")],
    "/costs/": [{"do": "note"}],
    "/reconcile/": [{}],
}


@pytest.fixture
def root(as_of: Any) -> Client:
    as_of("2025-05-10 12:00")
    make_cost("2025-03-01", "100.00")
    make_usage("2025-03-01", "10.00")
    make_job("2025-03-01 08:00", "2025-03-01 11:00")
    client = Client()
    client.force_login(User.objects.create_superuser("root", password="correct horse"))
    return client


def sent(client: Client, path: str, data: dict[str, str]) -> int:
    """As bytes, since a client that is no browser may send half of a pair."""
    pairs = (f"{name}={quote_plus(value.encode('utf-8', 'surrogatepass'))}" for name, value in data.items())
    kind = "application/x-www-form-urlencoded"
    return client.post(path, "&".join(pairs), content_type=kind).status_code


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
@pytest.mark.parametrize("path", FORMS)
def test_no_form_stumbles_over_it(root, path, text):
    for chosen in FORMS[path]:
        boxes = dict.fromkeys((*BOXES, *MORE, *CHOICES), text)
        assert sent(root, path, boxes | chosen) < 500, chosen
        for box in boxes:
            assert sent(root, path, {box: text} | chosen) < 500, (box, chosen)


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_no_form_of_the_administration_stumbles_over_it(root, text):
    make_team("vision")
    for model in admin_site.site._registry:
        there = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        fields = [field.name for field in model._meta.fields]
        dated = [f"{name}_{part}" for name in fields for part in (0, 1)]
        assert sent(root, f"{there}add/", dict.fromkeys([*fields, *dated], text)) < 500, model
        for row in model._default_manager.values_list("pk", flat=True)[:1]:
            assert sent(root, f"{there}{row}/change/", dict.fromkeys([*fields, *dated], text)) < 500, model
        for action in ("delete_selected", "change_status", text):
            rows = {"action": action, "_selected_action": text, "index": "0"}
            more = {"select_across": text, "confirm": text, "status": text}
            assert sent(root, there, rows) < 500, (model, action)
            assert sent(root, there, rows | more) < 500, (model, action)
