"""Names that are markup or formulas: shown as they are on pages, inert in files, and nothing runs."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.digests import told
from dashboard.models import Team
from dashboard.naming import Names
from dashboard.reports.digest import digest

from .cast import admin_pages, files, name_everything, pages
from .hostile import FORMULAS, MARKUP
from .test_access_matrix import quiet

__all__ = ["quiet"]
pytestmark = pytest.mark.django_db
TAGS = [name for name in MARKUP if "<" in name]
DRAWN = [  # one of each kind: a chart draws no more by name
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "{{7*7}}sevens",
    "\u2028alert(1)//",
    '" onmouseover="alert(2)" x="',
    "' autofocus onfocus='alert(1)",
]
WITH_CHARTS = [
    *("/", "/costs/", "/teams/", "/allocation/?by=model", "/usage/", "/bridge/", "/unit-prices/"),
    *("/forecast/", "/budgets/?month=2025-03", "/waste/"),
]
EVALUATED = "49sevens"  # where a template takes a name for one of its own


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
            leads = name in ("href", "src", "action", "formaction") and runs(value)
            if name.startswith("on") or name in ("style", "srcdoc") or leads:
                self.found.append(f'<{tag} {name}="{value}">')


def runs(address: str) -> bool:
    """As browsers read it: without blanks."""
    return re.sub(r"[\x00-\x20]", "", address).lower().startswith(("javascript:", "data:", "vbscript:"))


def brought_in(content: str) -> list[str]:
    parser = Elements()
    parser.feed(content)
    return parser.found + [name for name in [*TAGS, EVALUATED] if name in content]


def test_markup_in_names_is_text(root):
    name_everything(MARKUP)
    wrong, shown, drawn = [], set[str](), set[str]()
    for path in [*pages(), *admin_pages()]:
        answer = root.get(path)
        assert answer.status_code in (200, 403), path
        content = answer.content.decode()
        shown |= {name for name in MARKUP if name in unescape(content)}
        wrong += [f"{path}: {one}" for one in brought_in(content)]
        for chart in charts_of(content):
            drawn |= {one["name"] for one in chart["series"]} | set(chart["labels"])
            wrong += [f"{path}: {link}" for link in links_of(chart) if not re.match("/[^/]", link)]
    assert not wrong, "\n".join(wrong)
    assert shown == set(MARKUP)
    assert len(drawn & set(MARKUP)) > 8  # the others are drawn as one


def charts_of(content: str) -> list[Any]:
    found = re.findall(r'id="[\w-]+-data" type="application/json">(.*?)</script>', content, re.DOTALL)
    return [json.loads(text) for text in found]


def links_of(chart: Any) -> list[str]:
    links = [link for one in [*chart["series"], chart] for link in one.get("links") or []]
    return [link for link in links if link]


def test_markup_that_gets_through_would_be_seen():
    page = "<p>" + "</p><p>".join(TAGS) + f"</p>{EVALUATED}"
    assert set(TAGS) < set(brought_in(page))
    for name in ("' onmouseover='alert(1)", "' autofocus onfocus='alert(1)"):
        assert brought_in(f"<p title='{name}'>")
    assert brought_in('<a href="java\tscript:alert(2)">') and brought_in('<a href=" DATA:text/html,x">')


def test_json_gives_names_as_they_are(root):
    name_everything(MARKUP)
    asked = {"app_label": "dashboard", "model_name": "job", "field_name": "team"}
    answer = root.get("/admin/autocomplete/", asked)
    assert answer["Content-Type"] == "application/json" and answer["X-Content-Type-Options"] == "nosniff"
    assert {one["text"] for one in answer.json()["results"]} == set(MARKUP)


def test_markup_in_names_is_text_in_mail(root):
    name_everything(MARKUP)
    message = told(digest(date(2025, 3, 2), Names.load()), Names.load())
    assert not brought_in(message.html)
    assert len([name for name in TAGS if name in unescape(message.html)]) > 5  # its lists are short
    assert not [line for line in message.text.splitlines() if line.startswith("alert(")]


def test_nothing_runs_in_a_browser(browser_page, admin, as_of):
    as_of("2025-03-31 12:00")
    name_everything(DRAWN)
    dialogs: list[str] = []
    page = browser_page(admin, "/help/")
    page.on("dialog", lambda dialog: (dialogs.append(page.url), dialog.dismiss()))
    team = Team.objects.get(name=DRAWN[1])
    told_of, listed = set[str](), set[str]()
    without = ["/jobs/", "/mappings/", "/imports/", "/admin/dashboard/job/"]
    for path in [*WITH_CHARTS, f"/teams/{team.pk}/", *without]:
        page.goto(f"{path}{'&' if '?' in path else '?'}start=2025-03-01&end=2025-03-31")
        in_tooltips = set(names_in_tooltips(page))
        assert in_tooltips or path not in WITH_CHARTS, path
        told_of |= in_tooltips
        listed |= set(names_in_legends(page))
        assert page.locator("[onload], [onerror], [onmouseover], [onfocus], [autofocus]").count() == 0
    assert not dialogs
    assert set(DRAWN) <= told_of and set(DRAWN) <= listed


def names_in_tooltips(page: Any) -> Iterator[str]:
    """With the mouse over the first charts, from left to right: more are of one kind."""
    for canvas in page.locator("canvas[data-chart]").all()[:3]:
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        for step in range(1, 20):
            page.mouse.move(box["x"] + box["width"] * step / 20, box["y"] + box["height"] / 2)
            for line in canvas.evaluate(LINES):
                yield line.rpartition(": ")[0]


LINES = "canvas => Chart.getChart(canvas).tooltip.body?.flatMap(one => one.lines) ?? []"


def names_in_legends(page: Any) -> Iterator[str]:
    """Each is hidden and shown again."""
    for button in page.locator("[data-legend] button").all():
        button.click()
        button.click()
        yield button.text_content()


# Formulas

_BEGINS = re.compile(r"[\s\u00a0\u3000]*[=+\-@|%]|[\t\r\n\0]")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def is_evaluated(cell: str) -> bool:
    """By the rule of HARDENING: what a spreadsheet runs, but for a number."""
    return bool(_BEGINS.match(cell)) and not _NUMBER.fullmatch(cell)


def content_of(client: Client, path: str) -> bytes:
    answer = client.get(path)
    assert answer.status_code == 200 and answer.has_header("Content-Disposition"), path
    return b"".join(answer.streaming_content)


def rows_of(client: Client, path: str) -> list[list[str]]:
    """Of a CSV file, the names of its columns first."""
    return list(csv.reader(io.StringIO(content_of(client, path).decode("utf-8-sig"), newline="")))


def test_no_cell_of_any_file_is_evaluated(root):
    name_everything(FORMULAS)
    guarded = 0
    for path in files("csv"):
        head, *rows = rows_of(root, path)
        assert rows, path
        assert not [cell for row in rows for cell in row if is_evaluated(cell)], path
        for column, cells in zip(head, zip(*rows, strict=True), strict=True):
            names = sum(cell.startswith("'") for cell in cells)
            assert names or not holds_names(path, column) or says_names(column, cells), (path, column)
            assert not {"-2", "=1+1"} & set(cells) or not names, (path, column)
            guarded += names
    assert guarded > 1000


# Columns whose text is Heliox' own: of any file, and of the file of one page.
OWN = {
    *("id", "check", "counted", "unmatched", "budget_for", "kind", "state", "moved", "idle", "basis"),
    *("cost_row", "metered_row", "job_log"),
}
OWN_HERE = {("/anomalies/", "what"), ("/data-quality/", "what"), ("/waste/", "status"), ("/waste/", "reason")}
NO_TEXT = re.compile(
    r"(.*_)?(usd(_.*)?|hours(_.*)?|rate|jobs|runs|days?|month|date|at|on|time|seconds|count|gpus)"
    r"|start|end|from|to|period_(start|end)|used|threshold|utilisation"
)


def holds_names(path: str, column: str) -> bool:
    page = path.partition("?")[0]
    return not (column in OWN or (page, column) in OWN_HERE or NO_TEXT.fullmatch(column))


def says_names(column: str, cells: Iterable[str]) -> bool:
    """In sentences of Heliox' own."""
    return column == "could_explain_it" and any(name in cell for cell in cells for name in FORMULAS)


def test_a_workbook_has_text_and_numbers_and_no_formula(root):
    name_everything(FORMULAS[:8])
    for path in files("xlsx"):
        with zipfile.ZipFile(io.BytesIO(content_of(root, path))) as book:
            sheets = [book.read(name).decode() for name in book.namelist() if "worksheets/sheet" in name]
            assert sheets[0].count("<row ") > 1, path
            assert not any("<f>" in sheet or "<f " in sheet or "<hyperlink" in sheet for sheet in sheets), (
                path
            )
            assert not [name for name in book.namelist() if "external" in name.lower()]


def test_numbers_stay_numbers(root):
    name_everything(["-2"])
    head, *rows = rows_of(root, "/costs/?_export=csv&preset=all")
    told = [dict(zip(head, row, strict=True)) for row in rows]
    found = [(row["provider"], row["cost_usd"]) for row in told if row["date"] == "2025-03-02"]
    assert found == [("'-2", "-1.25")]
