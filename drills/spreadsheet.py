"""Files with names that are formulas, opened in LibreOffice: none is evaluated."""

from __future__ import annotations

import shutil

from . import Outcome
from .suites import longer


def drill() -> Outcome:
    if not shutil.which("soffice"):
        return Outcome(False, "there is no soffice: install the Debian package libreoffice-calc-nogui")
    figure = "every CSV and workbook converted by LibreOffice, no formula evaluated"
    return longer(figure, "spreadsheet.py")
