"""What LibreOffice makes of every file whose names are formulas. Run by `make drill ONLY=spreadsheet`."""

from __future__ import annotations

import csv
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.formulas import unguarded

from .cast import files, name_everything
from .hostile import COUNTED, FORMULAS, VALUE

pytestmark = pytest.mark.django_db
PLAIN = [name for name in FORMULAS if not set(name) & set("\t\r\n") and name != "1,234"]  # that is a number
CSV_AS_TYPED = (
    "--infilter=CSV:44,34,76,1,,0,false,true,false,false,false,0,true,true"  # UTF-8, evaluates formulas
)
TEXT_QUOTED = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,true,false"  # and numbers bare, as they are
CELL = re.compile(r'(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|\Z)')
NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True)
class Shown:
    """A cell as LibreOffice holds it: whether it is text, and what it says."""

    is_text: bool
    says: str

    def is_still(self, written: str, guard: bool = True) -> bool:
        """written: in a CSV file. guard: whether that of a text is still there."""
        if written.startswith("'"):
            return self.is_text and self.says == (written if guard else unguarded(written))
        if NUMBER.fullmatch(written):
            return not self.is_text and float(self.says) == float(written)
        return self.says == written


@pytest.fixture
def root(db: None, as_of: Any) -> Client:
    as_of("2025-03-31 12:00")
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def saved(client: Client, folder: Path, kind: str) -> list[Path]:
    found = []
    for number, path in enumerate(files(kind)):
        answer = client.get(path)
        if answer.has_header("Content-Disposition"):
            found.append(folder / f"{number}.{kind}")
            found[-1].write_bytes(b"".join(answer.streaming_content))
    return found


def opened(paths: list[Path], folder: Path, *options: str) -> dict[str, list[list[Shown]]]:
    """The cells of the first sheet, by the name of the file."""
    home, out = folder / "home", folder / "out"
    command = ["soffice", f"-env:UserInstallation=file://{home}", "--headless", *options]
    command += ["--convert-to", TEXT_QUOTED, "--outdir", str(out), *map(str, paths)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return {path.stem: cells_of((out / f"{path.stem}.csv").read_text("utf-8-sig")) for path in paths}


def cells_of(text: str) -> list[list[Shown]]:
    rows, row, place = [], [], 0
    while place < len(text):
        found = CELL.match(text, place)
        assert found, text[place : place + 80]
        quoted, bare, end = found.groups()
        row.append(Shown(quoted is not None, bare if quoted is None else quoted.replace('""', '"')))
        place = found.end()
        if end != ",":
            rows, row = [*rows, row], []
    return rows


def rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text("utf-8-sig").splitlines()))


def test_a_cell_without_its_guard_is_evaluated(tmp_path):
    """Else this drill could not fail."""
    typed = [name for name in COUNTED if name.startswith("=")]  # Excel runs the others, too
    with (tmp_path / "control.csv").open("w") as file:
        csv.writer(file).writerows([name] for name in typed)
    seen = opened([tmp_path / "control.csv"], tmp_path, CSV_AS_TYPED)["control"]
    assert [row[0].says for row in seen] == [VALUE] * len(typed) == [VALUE] * 3


def test_no_cell_of_a_csv_is_evaluated_and_numbers_are_numbers(root, tmp_path):
    name_everything(PLAIN)
    given = saved(root, tmp_path, "csv")
    seen = opened(given, tmp_path, CSV_AS_TYPED)
    assert len(seen) > 20
    for path in given:
        for written, shown in zip(rows_of(path), seen[path.stem], strict=True):
            for before, after in zip(written, shown, strict=True):
                assert after.is_still(before) and after.says != VALUE, (path, before, after)


def test_no_cell_of_a_workbook_is_evaluated_and_numbers_are_numbers(root, tmp_path):
    name_everything(PLAIN)
    (tmp_path / "csv").mkdir()
    texts = {path.stem: rows_of(path) for path in saved(root, tmp_path / "csv", "csv")}
    given = saved(root, tmp_path, "xlsx")
    seen = opened(given, tmp_path)
    assert len(seen) > 20
    for name, rows in seen.items():
        for written, shown in zip(texts[name], rows, strict=True):
            for before, after in zip(written, shown, strict=True):
                assert after.is_still(before, guard=False) and after.says != VALUE, (name, before, after)
