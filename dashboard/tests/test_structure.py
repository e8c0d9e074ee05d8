"""The rooms of the house: who may import whom."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from drills import properties as drilled

APP = Path(__file__).resolve().parents[1]
# Each room with what it must not know. The order is that of ARCHITECTURE.md.
FORBIDDEN = {
    "scope.py": {"django", "dashboard"},
    "money.py": {"django", "dashboard"},
    "formulas.py": {"django", "dashboard"},
    "glossary": {"django", "dashboard"},
    "models": {
        "dashboard.ingest",
        "dashboard.reports",
        "dashboard.views",
        "dashboard.naming",
        "dashboard.charts",
    },
    "model_names.py": {"dashboard.models", "dashboard.ingest", "dashboard.reports", "dashboard.views"},
    "remembered": {"dashboard.models", "dashboard.ingest", "dashboard.reports", "dashboard.views"},
    "rollups": {"dashboard.ingest", "dashboard.reports", "dashboard.views"},
    "replica.py": {"dashboard"},
    "trouble/outages.py": {"dashboard"},
    "trouble/frozen.py": {"django"},  # settings need it before there is a Django
    "databases.py": {"dashboard.models", "dashboard.naming", "dashboard.ingest", "dashboard.reports"},
    "moving.py": {"dashboard.ingest", "dashboard.reports", "dashboard.views"},
    "row_lines.py": {"django", "dashboard"},
    "sharding.py": {"dashboard.ingest", "dashboard.reports", "dashboard.views"},
    "naming.py": {"dashboard.ingest", "dashboard.reports", "dashboard.views"},
    "gpu_time.py": {"dashboard.ingest", "dashboard.reports", "dashboard.views"},
    "placing.py": {"dashboard.ingest", "dashboard.reports", "dashboard.views"},
    "posted": {"dashboard.ingest", "dashboard.reports", "dashboard.views"},
    "credits.py": {"dashboard.ingest", "dashboard.reports", "dashboard.views"},
    "reports/sharing.py": {"django", "dashboard.models", "dashboard.naming"},
    "ingest": {
        "dashboard.reports",
        "dashboard.views",
        "dashboard.charts",
        "dashboard.exports",
        "dashboard.filters",
    },
    "ingest/formats": {"django", "dashboard.models"},
    "reports": {
        "dashboard.ingest",
        "dashboard.views",
        "dashboard.charts",
        "dashboard.exports",
        "dashboard.filters",
        "dashboard.tables",
        "django.http",
        "django.forms",
        "django.shortcuts",
        "django.template",
    },
    "charts.py": {"dashboard.ingest", "dashboard.views", "dashboard.models", "django.http"},
    "exports.py": {"dashboard.ingest", "dashboard.reports", "dashboard.views", "dashboard.models"},
}


def imported(file: Path, nodes: Callable[[ast.AST], Iterator[ast.AST]] = ast.walk) -> set[str]:
    package = ["dashboard", *file.relative_to(APP).parts[:-1]]
    found: set[str] = set()
    for node in nodes(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found.update({module} | {f"{module}.{alias.name}" for alias in node.names})
    return found


def files_of(room: str) -> list[Path]:
    place = APP / room
    return [place] if place.is_file() else sorted(place.rglob("*.py"))


@pytest.mark.parametrize("room", FORBIDDEN)
def test_imports_point_down_only(room):
    files, itself = files_of(room), f"dashboard.{room.replace('/', '.')}"
    assert files
    for file in files:
        known = {name for name in imported(file) if name != itself and not name.startswith(f"{itself}.")}
        wrong = {
            name
            for name in known
            for no in FORBIDDEN[room]
            if (name == no or name.startswith(no + ".")) and name != "dashboard"
        }
        assert not wrong, f"{file.relative_to(APP)} imports {sorted(wrong)}"


def run_at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """What stands in functions, or is there for types alone, is not."""
    for node in ast.iter_child_nodes(tree):
        for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if not (for_types or isinstance(node, ast.FunctionDef)):
            yield node
            yield from run_at_import(node)


def test_no_two_rooms_need_each_other():
    needs: defaultdict[str, set[str]] = defaultdict(set)
    for file in APP.rglob("*.py"):
        room, known = file.relative_to(APP).parts[0].removesuffix(".py"), imported(file, run_at_import)
        needs[room] |= {name.split(".")[1] for name in known if name.startswith("dashboard.")} - {room}
    found = list(TopologicalSorter(needs).static_order())  # which names a circle that it finds
    assert found.index("scope") < found.index("reports") < found.index("views") < found.index("urls")


READERS = (
    "reports",
    "rollups/reading.py",
    "naming.py",
    "gpu_time.py",
    "joblist/__init__.py",
    "joblist/paging.py",
    "filters.py",
)


@pytest.mark.parametrize("room", READERS)
def test_what_pages_read_is_asked_where_the_request_reads(room):
    """`databases.reading()`, not the default connection: else half a page comes from the other database."""
    files = files_of(room)
    assert files
    for file in files:
        assert not {"django.db.connection", "django.db.connections"} & imported(file), file


def test_templates_ask_nothing_and_hold_no_style_or_script():
    templates = list((APP.parent / "templates").rglob("*.html"))
    assert templates
    for template in templates:
        text = template.read_text()
        assert " style=" not in text and "<style" not in text, template
        assert "javascript:" not in text and " onclick=" not in text, template


def properties(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Each by its name, and whether `examples` bounds it, beside it or by a name of the module."""
    named = [node for node in tree.body if isinstance(node, ast.Assign) and is_bound(node.value)]
    bounds = {ast.unparse(node.targets[0]) for node in named}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and any(map(is_given, node.decorator_list)):
            yield node.name, any(is_bound(one) or ast.unparse(one) in bounds for one in node.decorator_list)


def is_given(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("given")


def is_bound(value: ast.expr) -> bool:
    return bool(re.fullmatch(r"\w*settings\(max_examples=examples\(\d+\)\)", ast.unparse(value)))


def test_the_drill_lengthens_every_property():
    lengthened = drilled.files()
    found = {
        f"{file.name} {name}": bounded and file.name in lengthened
        for file in (APP / "tests").glob("test_*.py")
        for name, bounded in properties(ast.parse(file.read_text()))
    }
    assert found
    assert not [name for name, longer in found.items() if not longer], "@settings(max_examples=examples(…))"
