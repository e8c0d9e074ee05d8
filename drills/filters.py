"""Random filters at five pages: table, chart and file must say what a recount from the ORM's rows says."""

from __future__ import annotations

from . import Outcome
from .suites import longer


def drill() -> Outcome:
    figure = "500 sets of filters of cost, usage, jobs, teams and allocation: table = chart = file = ORM"
    return longer(figure, "test_filters_agree.py", QUESTIONS="500")
