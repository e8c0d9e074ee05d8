"""What LibreOffice makes of every file whose names are formulas. Run by `make drill ONLY=spreadsheet`."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.ingest.values import unguarded

from .cast import files, name_everything
from .hostile import FORMULAS

pytestmark = pytest.mark.django_db
PLAIN = [name for name in FORMULAS if not set(name) & set("\t\r\n") and name != "1,234"]  # that is a number
UNGUARDED = "name,usd\n=1+1,1\n+1+1,2\n"
CSV_AS_TYPED = (
    "--infilter=CSV:44,34,76,1,,0,false,true,false,false,false,0,true,true"  # UTF-8, evaluates formulas
)


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


def opened(paths: list[Path], folder: Path, *options: str) -> dict[str, list[list[str]]]:
    """The cells as LibreOffice shows them, by the name of the file."""
    home, out = folder / "home", folder / "out"
    command = ["soffice", f"-env:UserInstallation=file://{home}", "--headless", *options]
    command += [
        "--convert-to",
        "csv:Text - txt - csv (StarCalc):44,34,76",
        "--outdir",
        str(out),
        *map(str, paths),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return {path.stem: rows_of(out / f"{path.stem}.csv") for path in paths}


def rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text("utf-8-sig").splitlines()))


def test_a_cell_without_its_guard_is_evaluated(tmp_path):
    """Else this drill could not fail."""
    path = tmp_path / "control.csv"
    path.write_text(UNGUARDED)
    assert opened([path], tmp_path, CSV_AS_TYPED)["control"][1][0] == "2"


def test_no_cell_of_a_csv_is_evaluated_and_numbers_are_numbers(root, tmp_path):
    name_everything(PLAIN)
    given = saved(root, tmp_path, "csv")
    seen = opened(given, tmp_path, CSV_AS_TYPED)
    assert len(seen) > 20
    names = {name[:100] for name in PLAIN}
    for path in given:
        written, shown = rows_of(path), seen[path.stem]
        texts = {unguarded(cell) for row in shown for cell in row}
        assert names & texts or not names & {unguarded(cell) for row in written for cell in row}, path
        assert not {"#NAME?", "Err:508", "Err:509", "#REF!"} & texts, path
        for before, after in zip(written, shown, strict=True):
            for cell, became in zip(before, after, strict=True):
                assert cell == became or not cell.startswith("'"), (path, cell, became)


def test_no_cell_of_a_workbook_is_evaluated_and_numbers_are_numbers(root, tmp_path):
    name_everything(PLAIN)
    (tmp_path / "csv").mkdir()
    texts = {path.stem: rows_of(path) for path in saved(root, tmp_path / "csv", "csv")}
    given = saved(root, tmp_path, "xlsx")
    seen = opened(given, tmp_path)
    assert len(seen) > 20
    for name, rows in seen.items():
        cells = {cell for row in rows for cell in row}
        assert not {"#NAME?", "Err:508", "Err:509", "#REF!"} & cells, name
        wanted = [unguarded(cell) for row in texts[name] for cell in row if cell.startswith("'")]
        assert set(wanted) <= cells, (name, set(wanted) - cells)
