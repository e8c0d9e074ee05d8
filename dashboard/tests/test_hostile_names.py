"""Names that are markup or formulas: shown as they are on pages, inert in files, and nothing runs."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.models import Team

from .cast import admin_pages, files, name_everything, pages
from .hostile import FORMULAS, MARKUP
from .test_access_matrix import quiet

__all__ = ["quiet"]
pytestmark = pytest.mark.django_db
WIDE = [name for name in MARKUP if "<" in name] + ["{{ 7*7 }}{% debug %}", "javascript:alert(1)"]


@pytest.fixture
def root(db: None, as_of: Any) -> Client:
    as_of("2025-03-31 12:00")
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


# Markup


class Elements(HTMLParser):
    """Elements and attributes of a page that a name may have brought in."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in ("img", "script") and not given.get("src", "").startswith(("/static/", "/admin/jsi18n/")):
            self.found += [f"<{tag} {given}>"] if given.get("type") != "application/json" else []
        for name, value in given.items():
            leads = name in ("href", "src", "action", "formaction") and "javascript:" in value.lower()
            if name.startswith("on") or name in ("style", "srcdoc") or leads:
                self.found.append(f'<{tag} {name}="{value}">')


def brought_in(content: str) -> list[str]:
    parser = Elements()
    parser.feed(content)
    raw = [name for name in WIDE if name in content and "<" in name]
    return parser.found + raw


def test_markup_in_names_is_text(root):
    name_everything(WIDE)
    wrong, shown = [], set()
    for path in [*pages(), *admin_pages()]:
        answer = root.get(path)
        assert answer.status_code in (200, 403), path
        content = answer.content.decode()
        wrong += [f"{path}: {one}" for one in brought_in(content)]
        shown |= {place for place, name in enumerate(WIDE) if name.split(">")[0][:12] in unescaped(content)}
        for text in re.findall(r'type="application/json">(.*?)</script>', content, re.DOTALL):
            json.loads(text)
    assert not wrong, "\n".join(wrong)
    assert len(shown) == len(WIDE)


def unescaped(content: str) -> str:
    return content.replace("&lt;", "<").replace("&quot;", '"').replace("&#x27;", "'").replace("&gt;", ">")


def test_markup_that_gets_through_would_be_seen():
    assert len(brought_in("<p>" + "</p><p>".join(WIDE) + "</p>")) > len(WIDE)


def test_nothing_runs_in_a_browser(browser_page, admin, as_of):
    as_of("2025-03-31 12:00")
    name_everything(WIDE[:4])
    dialogs: list[str] = []
    page = browser_page(admin, "/help/")
    page.on("dialog", lambda dialog: (dialogs.append(page.url), dialog.dismiss()))
    team = Team.objects.get(name=WIDE[1])
    paths = [
        "/costs/",
        "/teams/",
        "/allocation/?by=model",
        "/usage/",
        "/jobs/",
        f"/teams/{team.pk}/",
        "/mappings/",
    ]
    for path in [*paths, "/imports/", "/admin/dashboard/job/"]:
        page.goto(f"{path}{'&' if '?' in path else '?'}start=2025-03-01&end=2025-03-31")
        assert page.locator("svg[onload], img[onerror], [onmouseover], [autofocus][onfocus]").count() == 0
    assert not dialogs


# Formulas

_BEGINS = re.compile(r"[\s\u00a0\u3000]*[=+\-@|%]|[\t\r\n\0]")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def is_evaluated(cell: str) -> bool:
    """By the rule of HARDENING: what a spreadsheet runs, but for a number."""
    return bool(_BEGINS.match(cell)) and not _NUMBER.fullmatch(cell)


def content_of(client: Client, path: str) -> bytes:
    answer = client.get(path)
    if not answer.has_header("Content-Disposition"):
        assert answer.status_code in (200, 400), path
        return b""
    return b"".join(answer.streaming_content)


def test_no_cell_of_any_file_is_evaluated(root):
    name_everything(FORMULAS)
    given, guarded = 0, 0
    for path in files("csv"):
        content = content_of(root, path)
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
        given += bool(rows)
        cells = [cell for row in rows for cell in row]
        assert not [cell for cell in cells if is_evaluated(cell)], path
        guarded += sum(cell.startswith("'") for cell in cells)
        for row in rows[1:]:
            told = dict(zip(rows[0], row, strict=True))
            for column in ("provider", "team", "model_name", "gpu_type", "note"):
                assert told.get(column) not in ("-2", "=1+1"), (path, column)
    assert given > 20 and guarded > 1000


def test_a_workbook_has_text_and_numbers_and_no_formula(root):
    name_everything(FORMULAS[:8])
    given = 0
    for path in list(files("xlsx"))[:22]:
        content = content_of(root, path)
        if not content:
            continue
        given += 1
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            sheets = [book.read(name).decode() for name in book.namelist() if "worksheets/sheet" in name]
            assert not any("<f>" in sheet or "<f " in sheet or "<hyperlink" in sheet for sheet in sheets), (
                path
            )
            assert not [name for name in book.namelist() if "external" in name.lower()]
    assert given > 15


def test_numbers_stay_numbers(root):
    name_everything(["-2"])
    rows = csv.DictReader(io.StringIO(content_of(root, "/costs/?_export=csv&preset=all").decode("utf-8-sig")))
    found = [(row["provider"], row["cost_usd"]) for row in rows if row["date"] == "2025-03-02"]
    assert found == [("'-2", "-1.25")]
