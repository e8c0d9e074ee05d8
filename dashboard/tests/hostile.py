"""What is typed to break a page: values, payloads, and addresses made of them by a seeded generator."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any
from urllib.parse import quote, quote_plus

from django.contrib import admin as admin_site
from django.db.models import Field

from dashboard.filters import HOW_SHOWN, ScopeFilter

from .test_access_matrix import ROUTES

YEARS = ["0", "-1", "100000", "1e5", "2147483648", "9223372036854775808", "10000", "1"]
MOMENTS = [
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01",
    "9999-12-31",
    "2025-02-30",
    "2025-W01-1",
    "20250105",
    "2025-03-01T00:00:00",
    "٢٠٢٥-٠٣-٠١",
]
PATTERNS = ["(", "[a", "*a", "(a+)+$", "\\"]
NUMBERS = [
    "1e999999999",
    "-1e999999999",
    "NaN",
    "Infinity",
    "-0",
    "1e5",
    "1_000",
    "٣",
    "1.005",
    "9" * 400,
    "²",
]
SIZES = ["-1", "0", "9" * 400, "1000000", "201", "٣", "1.5"]
EXPORTS = ["xlsx", "csv", "xls", "ods", "yaml", "json", "../csv", "CSV", ""]
KEYS = ["abc", "1", "0", "-1", "00000000-0000-0000-0000-000000000000", "{}", "None", "1 OR 1=1", "1'"]
TEXTS = [
    "\0",
    "a\0b",
    "",
    " ",
    "%",
    "_",
    "%00",
    "'",
    '"',
    "\\",
    "'; DROP TABLE teams; --",
    "<script>alert(1)</script>",
    "{{ 7*7 }}",
    "{% debug %}",
    "\ud800",
    "\u202e",
    "🦊" * 50,
    "é",
    "\r\nSet-Cookie: a=b",
    "a" * 2_000,
    "a" * 2_001,
    "word " * 390,
    '" ' * 900,
    "[]",
    "__proto__",
    "None",
    "true",
    "eyJhIjoxfQ",
    "W251bGwsImEiLG51bGxd",
    "../../etc/passwd",
]
VALUES = [*YEARS, *MOMENTS, *PATTERNS, *NUMBERS, *SIZES, *EXPORTS, *KEYS, *TEXTS]

PLAIN = [value for value in VALUES if "\0" not in value and len(value) < 500]  # what passes the edge

# What a spreadsheet makes this number of.
VALUE = "1337"
COUNTED = [
    "=1000+337",
    "+1000+337",
    "-1000+2337",
    "=SUM(1000,337)",
    "@SUM(1000,337)",
    '=HYPERLINK("http://x.example/","1337")',
]
# Each would do something where a spreadsheet evaluates it, a page believes it or a browser runs it.
FORMULAS = [
    *COUNTED,
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(1,1)",
    '=HYPERLINK("http://x.example/","a")',
    "=cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    "\u00a0=1+1",
    "\u3000=1+1",
    "|=1+1",
    "%=1+1",
    "'=1+1",
    "''=1+1",
    '"=1+1"',
    "=1+1,=2+2",
    "=1+1\r\n=2+2",
    '","=1+1',
    ";=1+1",
    "{=1+1}",
    "-2",
    "1,234",
]
MARKUP = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "</script><script>alert(1)</script>",
    "</script>closed",
    "<!--<script>",
    "javascript:alert(1)",
    "java\tscript:alert(2)",
    "data:text/html,<script>alert(1)</script>",
    "{{ 7*7 }}{% debug %}",
    "{{7*7}}sevens",
    "\u2028alert(1)//",
    "\u2029alert(2)//",
    "]]><b>bold",
    "' onmouseover='alert(1)",
    '" onmouseover="alert(2)" x="',
    "' autofocus onfocus='alert(1)",
    '" autofocus onfocus="alert(2)',
    "<a href=javascript:alert(1)>x</a>",
]

PAGE_PARAMETERS = (
    *ScopeFilter.base_filters,
    *("sort", "page", "per_page", "after", "before", "jump", "_export", "month", "view", "state", "file"),
    *("prices-sort", "prices-page", "kinds-sort", "kinds-page", "check", "next", "what", "unknown", "e"),
)
ADMIN_PARAMETERS = (
    *("o", "p", "q", "all", "e", "_popup", "_to_field", "_facets", "_changelist_filters", "_export", "term"),
    *("app_label", "model_name", "field_name", "per_page", "next", "unknown", "_source_model"),
)
LOOKUPS = (
    *("", "__exact", "__in", "__isnull", "__gt", "__gte", "__lt", "__range", "__regex", "__iregex"),
    *("__year", "__month", "__day", "__date", "__date__year", "__week_day", "__icontains", "__name", "__pk"),
)
SENSIBLE = {
    **{name: ["", "week", "month", "effective", "billed", "team", "model", "provider"] for name in HOW_SHOWN},
    "preset": ["all", "last7", "last30", "this_month", ""],
    "start": ["2025-03-01", "2025-02-15"],
    "end": ["2025-03-31", "2025-02-20"],
    "provider": ["AWS", "GCP", "fox"],
    "gpu_type": ["L4", "A100-80GB"],
    "status": ["completed", "running", "failed"],
    "model": ["resnet", "bert-base"],
    "q": ["bert", "a"],
    "sort": ["-start", "team", "-usd", "day", "-gpu_hours", "duration"],
    "per_page": ["1", "25", "200"],
    "page": ["1", "2", "999"],
    "p": ["1", "2", "0"],
    "o": ["1", "-2", "3.-1"],
    "all": ["", "1"],
}

Fill = Callable[[str, str], str]  # the key of a row that is there, by the route and the name of its part


def requests(fill: Fill, number: int, seed: int = 1) -> Iterator[tuple[str, str]]:
    """(path, query string), percent-encoded: up to half of them known to break libraries, then any."""
    random = Random(seed)
    table = list(known(fill))
    yield from table if len(table) < number / 2 else random.sample(table, k=number // 2)
    pages = [route for route in ROUTES if not route.startswith("/admin/")]
    while True:
        route = random.choice(random.choice([pages, ROUTES]))
        yield path_of(route, fill, random), query_of(names_of(route), random)


def known(fill: Fill) -> Iterator[tuple[str, str]]:
    """What libraries are known to answer with a 500, at every address that it concerns."""
    for route in ROUTES:
        path = whole(route, fill)
        for names, values in of_the_table(route):
            for place, value in enumerate(values):
                yield path, encoded(names[place % len(names)], value)
    for route in ROUTES:
        if "<" in route:
            yield from ((whole(route, lambda *_, key=key: quote(key, safe="")), "") for key in KEYS)


def of_the_table(route: str) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    if not route.startswith("/admin/"):
        if route.count("/") > 1 and not route.startswith("/accounts/"):
            yield ("per_page", "page"), SIZES[:3]
            yield ("sort",), ["--start", "\0"]
            yield ("start", "end"), MOMENTS[:2]
            yield ("_export",), ["yaml", "\0"]
        return
    model = model_of(route)
    if model is None:
        return
    fields = [field.name for field in model._meta.fields]
    if route.endswith("/add/"):
        yield fields, ["\0", "abc", MOMENTS[0], NUMBERS[0]]
    elif route.count("/") == 4:
        dated = [field.name for field in model._meta.fields if "Date" in field.get_internal_type()] or ["id"]
        yield [f"{name}__year" for name in dated], YEARS[:5]
        yield [f"{name}__gte" for name in dated], MOMENTS[:2]
        yield [f"{name}__regex" for name in fields], PATTERNS[:2]
        yield ["provider", "status", "team", "q"], ["\0", "x " * 900, "abc", NUMBERS[0]]
        yield ("p", "all", "o"), ["-1", "9" * 400, "\0"]


def model_of(route: str) -> Any:
    parts = route.split("/")
    tables = {(m._meta.app_label, m._meta.model_name): m for m in admin_site.site._registry}
    return tables.get((parts[2], parts[3])) if len(parts) > 4 else None


def names_of(route: str) -> Sequence[str]:
    if not route.startswith("/admin/"):
        return PAGE_PARAMETERS
    model = model_of(route)
    if model is None:
        return ADMIN_PARAMETERS
    fields: list[Field] = model._meta.fields
    filters = [getattr(one, "parameter_name", "") for one in admin_site.site._registry[model].list_filter]
    looked_up = [field.name + lookup for field in fields for lookup in LOOKUPS]
    return [*looked_up, *ADMIN_PARAMETERS * 3, *[name for name in filters if name] * 5]


def subject_of(route: str, part: str) -> str:
    """The table whose row the route's part names."""
    if part in ("app_label", "url"):
        return ""
    parts = route.split("/")
    if parts[1] == "admin":
        return parts[3]
    return {"imports": "upload" if "<uuid" in route else "importrun"}.get(
        parts[1], parts[1].removesuffix("s")
    )


def whole(route: str, fill: Fill) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda part: fill(route, part[1]), route)


def path_of(route: str, fill: Fill, random: Random) -> str:
    def key(route: str, name: str) -> str:
        return fill(route, name) if random.random() < 0.8 else quoted(wild(random))

    path = whole(route, key)
    return path if random.random() < 0.97 else path + quoted(wild(random))


def query_of(names: Sequence[str], random: Random) -> str:
    if random.random() < 0.03:
        return random.choice(
            ["%", "&&==&", "%ff=%fe&a", "a=%c3", ";", "=" * 200, "&a" * 1_200, "x=" + "a" * 8_001]
        )
    picked = random.choices(names, k=random.choice([1, 1, 2, 3, 5]))
    return "&".join(encoded(name, value_for(name, random)) for name in picked)


def value_for(name: str, random: Random) -> str:
    if random.random() < 0.5 and name in SENSIBLE:
        return random.choice(SENSIBLE[name])
    return wild(random)


def wild(random: Random) -> str:
    value = random.choice(random.choice([VALUES, PLAIN]))
    way = random.random()
    if way < 0.7:
        return value
    if way < 0.85:
        return value[:20] + random.choice(VALUES)[:20]
    return "".join(chr(random.choice([random.randrange(128), random.randrange(0x2FFF)])) for _ in range(8))


def encoded(name: str, value: str) -> str:
    """Lone surrogates too, as the bytes that no text has."""
    return f"{quote_plus(name)}={quote_plus(value.encode('utf-8', 'surrogatepass'))}"


def quoted(value: str) -> str:
    return quote(value.encode("utf-8", "surrogatepass"), safe="/")
