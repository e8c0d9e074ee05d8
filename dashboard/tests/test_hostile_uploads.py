"""Files that are damaged, strange or made to harm: a sentence, and nothing of them is stored."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections.abc import Iterator

import pytest
import xlsxwriter
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.ingest.load import Source, load
from dashboard.ingest.summary import Summary
from dashboard.models import (
    BillLine,
    CostSnapshot,
    ImportRun,
    Job,
    PeriodEntry,
    Team,
    UsageSnapshot,
)

from .bombs import BOMBS, taken
from .conftest import SAMPLES, examples
from .hostile import MARKUP

pytestmark = pytest.mark.django_db
TABLES = (BillLine, CostSnapshot, ImportRun, Job, PeriodEntry, Team, UsageSnapshot)
FILES = sorted(path for path in SAMPLES.iterdir() if path.suffix in (".csv", ".psv"))
SECONDS, MEGABYTES = 2, 100


# Bombs


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> dict[str, dict]:
    folder = tmp_path_factory.mktemp("bombs")
    found = {}
    for number, (name, parts) in enumerate(BOMBS.items()):
        path = folder / str(number)
        with path.open("wb") as file:
            file.writelines(parts())
        found[name] = path
    took = dict(zip(found, taken(list(found.values())), strict=True))
    for path in found.values():
        path.unlink()
    return took


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_words_in_time_and_in_little_memory(measured, name):
    took = measured[name]
    assert took["words"], took
    assert took["seconds"] < SECONDS and took["mb"] < MEGABYTES, took


# Any bytes


def stored() -> list[int]:
    return [table.objects.count() for table in TABLES]


def loaded(content: bytes, name: str = "file.csv") -> tuple[Summary, bool]:
    """The summary, and whether something was stored; taken back afterwards."""
    before = stored()
    with transaction.atomic():
        summary = load([Source(name, io.BytesIO(content))])
        changed = stored() != before
        transaction.set_rollback(True)
    return summary, changed


def check(content: bytes) -> None:
    summary, changed = loaded(content)
    assert changed == bool(summary.committed and summary.changes)
    assert summary.committed or all(why["text"] for why in summary.refusals)
    assert summary.committed or summary.refusals


@settings(max_examples=examples(40))
@given(st.binary(max_size=600))
def test_any_bytes_give_a_sentence_and_no_row(db, content):
    summary, changed = loaded(content)
    assert not changed and not summary.committed
    assert len(summary.refusals) == 1 and summary.refusals[0]["text"].startswith("file.csv: ")


def spoilt(sample: bytes, place: int, what: bytes, cut: bool) -> bytes:
    place %= len(sample) + 1
    return sample[:place] + what + (b"" if cut else sample[place:])


HARM = st.sampled_from(
    [
        b"\0",
        b"\r",
        b"\r\r\n",
        b'"',
        b'"\n',
        b",",
        b"|",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"\xc3",
        "\u202e".encode(),
        "\u2028".encode(),
        b"\x1b[31m",
        b"\x85",
        b"1e400",
        b"=1+1",
        b"\n\n\n",
        b"9" * 400,
        b"," * 2000,
    ]
) | st.binary(max_size=8)


@settings(max_examples=examples(60))
@given(path=st.sampled_from(FILES), place=st.integers(0, 5000), what=HARM, cut=st.booleans())
def test_a_spoilt_file_is_taken_whole_or_refused_in_words(db, path, place, what, cut):
    check(spoilt(path.read_bytes(), place, what, cut))


@settings(max_examples=examples(20))
@given(path=st.sampled_from(FILES), place=st.integers(1, 400), encoding=st.sampled_from(["utf-16", "utf-32"]))
def test_a_cut_off_gzip_and_other_encodings_are_refused(db, path, place, encoding):
    content = path.read_bytes()
    packed = gzip.compress(content, mtime=0)
    for wrong in (packed[: -(place % len(packed)) or -1], content.decode().encode(encoding)):
        summary, changed = loaded(wrong)
        assert not changed and summary.refusals


def workbook() -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        book.add_worksheet().write_row(0, 0, ["date", "provider", "gpu_type", "cost_usd"])
    return file.getvalue()


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("costs.csv", (SAMPLES / "costs.csv").read_text())
    return file.getvalue()


@pytest.mark.parametrize(
    "content", [workbook(), archive(), gzip.compress(workbook())], ids=["xlsx", "zip", "gz"]
)
def test_a_workbook_is_not_read_and_the_words_say_what_to_do(db, content):
    summary, changed = loaded(content)
    assert not changed
    assert (
        "an Excel workbook or another zip file. Save the sheet as CSV (UTF-8)" in summary.refusals[0]["text"]
    )


BAD_BYTES = {
    b"\0": "is a NUL byte",
    b"\xed\xa0\x80": "is not UTF-8 text",
    b"\xff": "is not UTF-8 text",
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_bad_byte_is_told_with_its_line_and_place_there(db, path):
    lines = path.read_bytes().split(b"\n")
    for number in (1, len(lines) // 2, len(lines) - 1):
        for byte, words in BAD_BYTES.items():
            content = b"\n".join(
                [*lines[: number - 1], b"\xc3\xbc" + byte + lines[number - 1], *lines[number:]]
            )
            summary, changed = loaded(content)
            assert not changed
            assert f"Line {number}, character 2 {words}" in summary.refusals[0]["text"]


BAD_VALUES = [
    ("costs.csv", "cost_usd", value)
    for value in ("99999999999.99", "1e400", "1.005", "NaN", "Infinity", "1_000", "٣", "1,5", "", "-")
]
BAD_VALUES += [
    ("costs.csv", "date", value)
    for value in (
        "0001-01-01",
        "9999-12-31",
        "2025-02-30",
        "20250301",
        "2025-W01-1",
        "1999-12-31",
        "٢٠٢٥-٠٣-٠١",
    )
]
BAD_VALUES += [
    (file, column, value)
    for file, column, length in [
        ("costs.csv", "provider", 100),
        ("usage.csv", "gpu_type", 100),
        ("jobs.csv", "model_name", 255),
        ("teams.csv", "name", 255),
    ]
    for value in (
        "x" * (length + 1),
        "a\u202eb",
        "a\u2028b",
        "a\x07b",
        "\u00a0" if column != "name" else "\t",
    )
]
BAD_VALUES += [
    ("usage.csv", "gpu_hours", "10000000000.00"),
    ("usage.csv", "gpu_hours", "-1"),
    ("usage.csv", "gpu_hours", "0.001"),
    ("jobs.csv", "start_time", "0001-01-01T00:00:00+14:00"),
    ("jobs.csv", "start_time", "9999-12-31T23:59:59-14:00"),
    ("jobs.csv", "gpu_count", "0.0000001"),
    ("jobs.csv", "gpu_count", "1e400"),
    ("jobs.csv", "status", "x" * 51),
]


@pytest.mark.parametrize(("file", "column", "value"), BAD_VALUES)
def test_a_value_that_one_database_would_mangle_is_refused_with_line_and_column(db, file, column, value):
    lines = (SAMPLES / file).read_text().splitlines()
    header = lines[0].split(",")
    if column not in header:
        pytest.fail(f"{file} has no column {column}")
    cells = lines[1].split(",")
    cells[header.index(column)] = f'"{value}"'
    summary, changed = loaded("\n".join([lines[0], ",".join(cells), *lines[2:]]).encode())
    assert not changed and not summary.committed
    why = summary.refusals[0]
    assert (why["line"], why["column"]) == (2, column)
    assert why["expected"] and "Line 2" in why["text"]


# Through the page


@pytest.fixture
def sent(client, admin) -> Iterator:
    client.force_login(admin)

    def send(content: bytes, name: str = "file.csv") -> str:
        got = client.post("/imports/", {"files": SimpleUploadedFile(name, content)}, follow=True)
        assert got.status_code in (200, 400)
        return got.content.decode()

    return send


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 900, b"\xff\xfea\0", b"\x1f\x8b\x08", workbook(), b"PAR1xPAR1", b"a\r\rb"]
)
def test_the_page_says_why_a_file_is_refused(sent, content):
    text = " ".join(sent(content).split())
    assert re.search(r"The file is|cannot be read|Line 1|gzip file is", text)
    assert "would be written" not in text and not ImportRun.objects.exists()


def test_a_file_is_named_as_it_is_and_does_nothing(sent):
    for name in [*(text + ".csv" for text in MARKUP), "a" * 300 + ".csv", "=1+1.csv", "\u202egnp.csv"]:
        text = sent((SAMPLES / "costs.csv").read_bytes(), name)
        assert "<script>alert" not in text and "<img src=x" not in text and "<svg" not in text
