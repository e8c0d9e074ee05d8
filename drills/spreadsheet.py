"""Files with names that are formulas, opened in LibreOffice: texts stay as they are, numbers numbers."""

from __future__ import annotations

import shutil

from . import Outcome
from .suites import longer


def drill() -> Outcome:
    if not shutil.which("soffice"):
        return Outcome(False, "there is no soffice: install the Debian package libreoffice-calc-nogui")
    figure = "every CSV and workbook converted by LibreOffice: the same texts, the same numbers"
    return longer(figure, "spreadsheet.py")
