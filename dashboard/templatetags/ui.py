"""How figures and the menu look in templates."""

import datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from html import escape as escape_text

from django import template
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils.dateformat import format as date_in_words
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from ..access import teams_of
from ..money import MINUS, dollars

register = template.Library()

Page = tuple[str, str]  # the name of its route, and what the menu calls it
MENU: list[Page | tuple[str, list[Page]]] = [
    ("overview", "Overview"),
    ("costs", "Costs"),
    ("allocation", "Allocation"),
    ("usage", "Usage"),
    ("jobs", "Jobs"),
    ("teams", "Teams"),
    (
        "Analyse",
        [
            ("bridge", "Bridge"),
            ("unit_prices", "Unit prices"),
            ("running", "Running jobs"),
            ("waste", "Waste"),
            ("contracts", "Contracts"),
            ("anomalies", "Anomalies"),
        ],
    ),
    ("Plan", [("forecast", "Forecast"), ("budgets", "Budgets")]),
    (
        "Check",
        [
            ("reconcile", "Reconciliation"),
            ("quality", "Data quality"),
            ("mappings", "Mappings"),
            ("closing", "Month close"),
        ],
    ),
    ("help", "Help"),
]
# For who is limited to teams: the pages that show these alone.
OWN_TEAMS_PAGES: list[Page] = [
    ("teams", "Teams"),
    ("allocation", "Allocation"),
    ("jobs", "Jobs"),
    ("running", "Running jobs"),
    ("help", "Help"),
]
STAFF_PAGES: list[Page] = [("imports", "Imports"), ("admin:index", "Admin")]

NOTHING = "n/a"
LAST_DIGIT = [Decimal(1).scaleb(-places) for places in range(7)]
ONE_LINE = 40  # characters of a name


@register.filter
def usd(amount) -> str:
    return NOTHING if amount is None else dollars(_exact(amount))


@register.filter
def unbroken(words: str) -> str:
    """Within a sentence: no line ends between the sign of an amount and the amount."""
    return str(words).replace(f"{MINUS}$", f"{MINUS}\N{WORD JOINER}$")


@register.filter
def hours(amount) -> str:
    return _figure(amount, places=1, after=" h")


@register.filter
def long_hours(amount) -> str:
    """With the digits that it takes to follow a formula."""
    return _figure(amount, places=3, after=" h")


@register.filter
def percent(share) -> str:
    """A share of one: 0.456 is "45.6 %"."""
    return NOTHING if share is None else _figure(_exact(share) * 100, places=1, after=" %")


@register.filter
def rate(amount) -> str:
    """US dollars per hour: cents, and up to four decimals where cents would hide the price."""
    if amount is None:
        return NOTHING
    price = _exact(amount).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    places = 2 if price == round(price, 2) or abs(price) >= 100 else 4
    return _figure(price, places, before="$", after="/h")


@register.filter
def name(text: str) -> str:
    """As HTML in a table: one longer than most wraps, so that the figures beside it stay in sight."""
    name = escape_text(str(text))
    return SafeString(name if len(text) <= ONE_LINE else f'<span class="long">{name}</span>')


@register.filter
def count(number) -> str:
    return _figure(number, places=0)


def _figure(amount, places: int, before: str = "", after: str = "") -> str:
    if amount is None:
        return NOTHING
    rounded = _exact(amount).quantize(LAST_DIGIT[places], ROUND_HALF_UP)
    sign = MINUS if rounded < 0 else ""
    return f"{sign}{before}{abs(rounded):,}{after}"


def _exact(amount) -> Decimal:
    if isinstance(amount, float):
        raise TypeError(f"{amount!r} is a float: figures are Decimal until they are shown")
    return Decimal(amount)


@register.simple_tag(takes_context=True)
def menu(context, template: str) -> str:
    user = context["request"].user
    return menu_html(template, here(context["request"].path), teams_of(user) is not None, user.is_staff)


@cache
def menu_html(template: str, here: str, is_limited: bool, is_staff: bool) -> str:
    """Made once for each page and kind of reader: nothing else of who reads is in it."""
    return render_to_string(template, {"items": menu_items(here, is_limited, is_staff)})


def menu_items(here: str, is_limited: bool, is_staff: bool) -> list[dict]:
    """Links, and groups of them with a label and `links`."""
    if is_limited:
        return [_link(*page, here) for page in OWN_TEAMS_PAGES]
    staff = [_link(*page, here) for page in STAFF_PAGES] if is_staff else []
    if staff:
        staff[0]["opens_group"] = True
    return [_group(*item, here) if isinstance(item[1], list) else _link(*item, here) for item in MENU] + staff


def here(path: str) -> str:
    """The page of the menu that this address belongs to."""
    paths = (path_of(name) for name, _ in menu_pages())
    return max((page for page in paths if _is_within(path, page)), key=len, default="")


def menu_pages() -> list[Page]:
    pages: list[Page] = []
    for name, label in [*MENU, *STAFF_PAGES]:
        pages += label if isinstance(label, list) else [(name, label)]
    return pages


@register.simple_tag(name="path")
@cache
def path_of(name: str) -> str:
    return reverse(name)


@register.simple_tag
@cache
def asset(name: str) -> str:
    """The address of a static file, which stays the same while this process runs."""
    return static(name)


def _link(name: str, label: str, here: str) -> dict:
    path = path_of(name)
    return {"html": _link_html(path, label, path == here), "current": path == here}


@cache
def _link_html(path: str, label: str, current: bool) -> str:
    return format_html(
        '<a href="{}"{}>{}</a>', path, mark_safe(' aria-current="page"') if current else "", label
    )


def _group(label: str, pages: list[Page], here: str) -> dict:
    links = [_link(*page, here) for page in pages]
    return {"label": label, "links": links, "current": any(link["current"] for link in links)}


def _is_within(path: str, page: str) -> bool:
    return path == page or (page != "/" and path.startswith(page))


@register.filter
def headings(table, given) -> str:
    """Of a FigureTable, on the page that `given`, the parameters of its address, asks for."""
    return table.html_headings(given)


@register.filter
def table_headers(table: dict) -> list[dict]:
    """A chart's headers, each aligned like the first cell below it."""
    first = table["rows"][0] if table["rows"] else [{} for _ in table["headers"]]
    return [
        {"text": text, "numeric": cell.get("numeric", False)}
        for text, cell in zip(table["headers"], first, strict=False)
    ]


@register.filter
def number_rows(table: dict) -> str:
    """The rows of a chart's numbers, by the thousand: a template's loop takes ten times as long."""
    rows = ("".join([_number(*one) for one in enumerate(row)]) for row in table["rows"])
    return mark_safe("\n".join([f"<tr>{row}</tr>" for row in rows]))


def _number(place: int, cell: dict) -> str:
    text = name(cell["text"])
    if cell["url"]:
        text = f'<a href="{escape_text(cell["url"])}">{text}</a>'
    if not place:
        return f'<th scope="row">{text}{notes_below(cell["notes"])}</th>'
    return f'<td class="num">{text}</td>' if cell["numeric"] else f"<td>{text}</td>"


def notes_below(notes: list[str]) -> str:
    return "".join([f'<small class="long">{escape_text(note)}</small>' for note in notes])


@register.filter
def day_in_words(label: str) -> str:
    """2026-11-03 is "3 Nov 2026"; a label that is no day stays."""
    try:
        return date_in_words(datetime.date.fromisoformat(label), "j M Y")
    except ValueError:
        return label


@register.filter
def cell_text(cell) -> str:
    return cell["text"] if isinstance(cell, dict) else cell


@register.filter
def exact(amount) -> str:
    """Two to six decimals of a full-precision amount."""
    if amount is None:
        return NOTHING
    decimals = f"{round(_exact(amount), 6).normalize():f}".partition(".")[2]
    return _figure(amount, max(2, len(decimals)))
