"""Random filters at the pages of cost, usage and jobs: table, chart, file and the ORM must agree."""

from __future__ import annotations

from . import Outcome
from .suites import longer


def drill() -> Outcome:
    figure = "500 sets of filters: table = chart = file = ORM"
    return longer(figure, "test_filters_agree.py", QUESTIONS="500")
