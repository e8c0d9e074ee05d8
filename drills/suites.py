"""A test of the suite in its long form: the same test, asked for more by the environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from dashboard.tests.conftest import PROJECT

from . import Outcome

MOST_SAID = 60  # lines


def longer(figure: str, *tests: str, **asked: str) -> Outcome:
    """figure: what was tried, in words. asked: what makes the tests long."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")} | asked
    paths = [f"dashboard/tests/{test}" for test in tests]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", *paths]
    told = subprocess.run(command, cwd=PROJECT, env=environ, capture_output=True, text=True)
    if told.returncode:
        wrong = re.findall(r"^(?:E|  [|]) .*|^FAILED.*", told.stdout, re.MULTILINE)
        print("\n".join(wrong[:MOST_SAID]), file=sys.stderr)
    return Outcome(told.returncode == 0, figure)
