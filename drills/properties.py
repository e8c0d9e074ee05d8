"""Properties that hold for any input, tried with many times the examples of the suite."""

from __future__ import annotations

import os

from dashboard.tests.conftest import PROJECT

from . import Outcome
from .suites import longer

EXAMPLES = int(os.environ.get("EXAMPLES", 20))


def files() -> list[str]:
    """Those with a property; `tests/test_structure.py` holds that each is bounded by `examples`."""
    tests = sorted((PROJECT / "dashboard" / "tests").glob("test_*.py"))
    return [path.name for path in tests if "@given(" in path.read_text()]


def drill() -> Outcome:
    tests = files()
    figure = f"the properties of {len(tests)} files, each with {EXAMPLES} times the examples of the suite"
    return longer(figure, *tests, EXAMPLES=str(EXAMPLES))
