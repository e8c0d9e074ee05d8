"""Properties that hold for any input, tried with many times the examples of the suite."""

from __future__ import annotations

import os

from dashboard.tests.conftest import PROJECT

from . import Outcome
from .suites import longer

EXAMPLES = int(os.environ.get("EXAMPLES", 20))


def drill() -> Outcome:
    tests = [
        path.name
        for path in sorted((PROJECT / "dashboard" / "tests").glob("test_*.py"))
        if "max_examples=examples(" in path.read_text()
    ]
    figure = f"the properties of {len(tests)} files, each with {EXAMPLES} times the examples of the suite"
    return longer(figure, *tests, EXAMPLES=str(EXAMPLES))
