from __future__ import annotations

import re
from collections import namedtuple
from decimal import Decimal
from html.parser import HTMLParser

import django_tables2 as tables
import pytest
from django.http import QueryDict
from django.utils.html import conditional_escape, format_html

from dashboard.models import Job
from dashboard.models import Team as TeamOfJobs
from dashboard.naming import Names
from dashboard.reports.job_cost import RunningJob
from dashboard.tables import RunningTable
from dashboard.tables.rows import FigureTable, Made

from .conftest import at

Team = namedtuple("Team", "name head")


class Costs(FigureTable):
    day = tables.Column()
    team = tables.Column(accessor="team__name", attrs={"td": {"class": "num"}})
    usd = tables.Column(default="none")
    rate = tables.Column(empty_values=())
    note = tables.Column(empty_values=())

    def render_day(self, record, value):
        return format_html('<a href="?{}">{}</a>', value, record.day)

    def render_usd(self, value):
        return f"${value:,.2f}"

    def render_rate(self, value):
        return "n/a" if value is None else f"{value}/h"

    def render_note(self, record):
        return "dear & <big>" if record.usd and record.usd > 1000 else ""


Row = namedtuple("Row", "day team usd rate")
ROWS = [
    Row("2025-03-01", Team("vision", None), Decimal("1234.5"), Decimal("2.10")),
    Row("<script>", Team("a & b", None), None, None),
    Row("", Team("", None), Decimal(0), Decimal(0)),
]


def by_tables2(table) -> list[str]:
    return [str(conditional_escape(cell)) for row in table.paginated_rows for _, cell in row.items()]


class Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        if tag == "td":
            self.found.append("")
        elif tag != "tr":
            self.found[-1] += self.get_starttag_text()

    def handle_endtag(self, tag) -> None:
        if tag not in ("td", "tr"):
            self.found[-1] += f"</{tag}>"

    def handle_data(self, data) -> None:
        if self.found and data != "\n":
            self.found[-1] += data

    def handle_entityref(self, name) -> None:
        self.found[-1] += f"&{name};"

    def handle_charref(self, name) -> None:
        self.found[-1] += f"&#{name};"


@pytest.mark.parametrize("page", [1, 2])
def test_cells_are_those_of_tables2(page):
    table = Costs(ROWS)
    table.paginate(page=page, per_page=2)
    cells = Cells()
    cells.feed(table.html_rows())
    assert cells.found == by_tables2(table)
    assert len(cells.found) == 5 * (2 if page == 1 else 1)


def test_headings_lead_to_the_same_page_in_another_order():
    table = Costs(ROWS, order_by="-usd", order_by_field="by")
    html = table.html_headings(QueryDict("q=%22%3E&by=-usd&page=2&after=x&q=b"))
    day, team, usd, *_ = html.split("</th>")
    assert '<th scope="col" class="orderable">' in day
    assert '<a href="?q=%22%3E&amp;q=b&amp;by=day">Day</a>' in day
    assert '<th scope="col" class="desc orderable" aria-sort="descending">' in usd
    assert '<a href="?q=%22%3E&amp;q=b&amp;by=usd">Usd</a>' in usd
    assert "href" not in Costs(ROWS, orderable=False).html_headings(QueryDict("by=usd"))


def test_rows_are_made_where_they_are_looked_at():
    looked_at = []

    def made(day: str) -> Row:
        looked_at.append(day)
        return Row(day, Team("x", None), None, None)

    def days(order: str, page: int) -> str:
        table = Costs(Made("badcfe", made), order_by=order)
        table.paginate(page=page, per_page=2)
        return "".join(re.findall(r">(\w)</a>", table.html_rows()))

    assert (days("", 2), looked_at) == ("dc", ["d", "c"])
    assert (days("day", 2), days("-day", 1)) == ("cd", "fe")
    assert [row.record.day for row in Costs(Made("ba", made)).rows] == ["b", "a"]


def test_a_running_job_without_a_model_a_provider_or_a_price():
    job = Job(team=TeamOfJobs(name="vision & co"), gpu_type="A100", gpu_count=Decimal("2.500000"))
    job.start_time = at("2025-03-20 08:00")
    table = RunningTable([RunningJob(job, 9_000_000_000, None, None, None)], names=Names())
    cells = Cells()
    cells.feed(table.html_rows())
    team = f'<a href="/teams/{job.team_id}/">vision &amp; co</a>'
    assert cells.found == ["—", team, "—", "A100", "2.5", "2025-03-20 08:00", "2.50", "—", "—", "—"]


def test_names_and_notes_cannot_be_markup():
    html = Costs(ROWS).html_rows()
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert "dear &amp; &lt;big&gt;" in html
    assert html.count('<td class="num">') == 3


def test_what_a_record_lacks_is_an_error_and_no_dash():
    with pytest.raises(AttributeError):
        Costs([Team("vision", None)]).html_rows()


def test_no_rows_are_no_html():
    assert Costs([]).html_rows() == ""


def test_rows_are_sorted_by_each_column_in_turn_and_what_is_missing_comes_first():
    rows = [
        Row("b", Team("x", None), Decimal(2), 1),
        Row("a", Team("y", None), None, 2),
        Row("c", Team("x", None), Decimal("-1"), 3),
        Row("d", Team("x", None), Decimal(0), 4),
    ]

    def days(*order: str) -> str:
        return "".join(row.record.day for row in Costs(rows, order_by=order).rows)

    assert (days("usd"), days("-usd")) == ("acdb", "bdca")
    assert (days("team", "-day"), days("-team", "day")) == ("dcba", "abcd")
    assert days("team") == "bcda", "what is alike stays in order"
