"""From bytes to rows: what is read, what is refused, and that bombs cost little memory."""

import builtins
import csv
import gzip
import io
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.ingest import unpacking
from dashboard.ingest.records import FileRefused
from dashboard.ingest.source import open_table

from .conftest import examples

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.just("\n"))


def table(content: bytes | str, **kwargs):
    content = content.encode() if isinstance(content, str) else content
    return open_table(io.BytesIO(content), "file", **kwargs)


def rows(content: bytes | str) -> list[tuple[int, list[str]]]:
    return list(table(content).rows)


def refusal(content: bytes | str) -> str:
    with pytest.raises(FileRefused) as refused:
        rows(content)
    return str(refused.value)


def test_a_csv_file_is_a_header_and_rows_with_their_lines():
    opened = table("a,b\n1,2\n\n3,4\n")
    assert opened.header == ("a", "b")
    assert list(opened.rows) == [(2, ["1", "2"]), (4, ["3", "4"])]


def test_a_row_has_the_line_on_which_it_begins():
    assert rows('a,b\n"one\ntwo",2\n3,"four\n\nfive"\n6,7') == [
        (2, ["one\ntwo", "2"]),
        (4, ["3", "four\n\nfive"]),
        (7, ["6", "7"]),
    ]


def test_lines_end_only_with_a_line_feed():
    assert rows("a,b\r\n1\x85,2\x1e\r\n3,\u2028\r\n") == [(2, ["1\x85", "2\x1e"]), (3, ["3", "\u2028"])]


def test_a_byte_order_mark_and_blank_lines_before_the_header_do_no_harm():
    opened = table(b"\xef\xbb\xbf\n\r\na,b\n1,2\n")
    assert opened.header == ("a", "b")
    assert list(opened.rows) == [(4, ["1", "2"])]


def test_gzip_is_told_by_its_content_and_may_have_several_members():
    packed = gzip.compress(b"\xef\xbb\xbfa,b\n1,") + gzip.compress(b"2\n3,4\n") + b"\0" * 16
    assert rows(packed) == [(2, ["1", "2"]), (3, ["3", "4"])]


def test_a_file_that_comes_in_crumbs_is_the_same_file():
    class Crumbs(io.BytesIO):
        def read(self, size=-1):
            return super().read(3)

    packed = gzip.compress("é,b\n1,2\nü,4\n".encode())
    opened = open_table(Crumbs(packed), "file")
    assert (opened.header, list(opened.rows)) == (("é", "b"), [(2, ["1", "2"]), (3, ["ü", "4"])])


def test_a_path_is_opened_and_closed(tmp_path):
    long = tmp_path / "long.csv"
    long.write_bytes(b"a,b\n" + b"1,2\n" * unpacking.CHUNK)
    with open_table(long, "long.csv") as opened:
        assert next(opened.rows) == (2, ["1", "2"])
    with pytest.raises(ValueError, match="closed"):
        list(opened.rows)


def test_progress_counts_the_bytes_of_the_file_as_it_was_sent():
    packed = gzip.compress(b"a,b\n" + b"1,2\n" * 1000)
    seen: list[int] = []
    list(table(packed, progress=seen.append).rows)
    assert seen[-1] == len(packed)


def test_a_delimiter_in_a_text_makes_surplus_fields():
    """Which text it is, only the format knows: test_slurm.py."""
    assert rows("JobID|JobName\n1|a|b|c\n2|d\n") == [(2, ["1", "a", "b", "c"]), (3, ["2", "d"])]


def test_sacct_with_a_delimiter_at_the_end_of_each_line_is_the_same():
    opened = table('JobID|JobName|\n1|a "quoted|\n\n2|b|c|\n')
    assert opened.header == ("JobID", "JobName")
    assert list(opened.rows) == [(2, ["1", 'a "quoted']), (4, ["2", "b", "c"])]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is empty."),
        (b"\xef\xbb\xbf", "The file is empty."),
        (b"\n \r\n\n", "The file is empty."),
        (gzip.compress(b"", mtime=0), "The file is empty."),
        (b"PK\x03\x04rest of a workbook", "Excel workbook"),
        (b"\xd0\xcf\x11\xe0rest", "old Excel workbook"),
        (b"%PDF-1.7", "a PDF"),
        (b"\xff\xfea\0,\0b\0", "UTF-16"),
        (gzip.compress(gzip.compress(b"a,b\n", mtime=0), mtime=0), "gzip file inside a gzip file"),
        (bytes(range(256)), "binary"),
        ("a,b\n".encode("utf-16-le"), "binary"),
        (b"a,b\n1,2\n3,\0\n", "Line 3, character 3 is a NUL byte"),
        ("a,b\n1,2\nZ\u00fcrich,2\n".encode("latin-1"), "Line 3, character 2 is not UTF-8 text (byte 0xFC)"),
        ("a,b\n\u8a13\u7df4,".encode() + b"\xff\n", "Line 2, character 4 is not UTF-8 text (byte 0xFF)"),
        ("\ufeffa,".encode() + b"\xff\n", "Line 1, character 3 is not UTF-8 text"),
        (b'a,b\n1,2\n"3,4\n5,6\n', "Line 3: a quotation mark is opened here and never closed"),
        (b'a,b\n"1"2,3\n', "Line 2: text stands behind a closing quotation mark"),
        (b"a,b\n1\r2,3\n", "Line 2: a carriage return stands inside the line"),
        (b"a,b,a,B\n", "Line 1: the header names 'a', 'b', 'B' more than once"),
        (b"a,,b\n", "Line 1: column 2 of the header has no name"),
        (b",".join(b"c%d" % n for n in range(1001)), "1,001 columns"),
    ],
)
def test_what_cannot_be_read_is_refused_with_words(content, words):
    assert words in refusal(content)


def test_the_line_of_a_bad_byte_is_right_far_into_the_file():
    content = b"a,b\n" + b"1,2\n" * 70_000 + b"\xfc,2\n" + b"1,2\n" * 10
    assert refusal(content).startswith("Line 70002, character 1 ")


@pytest.mark.parametrize("cut", [11, 40, -9, -1])
def test_a_cut_off_gzip_file_is_refused(cut):
    packed = gzip.compress(b"a,b\n" + bytes(str(list(range(5000))), "ascii").replace(b", ", b",2\n"))
    assert "cut off" in refusal(packed[:cut])


def test_a_damaged_gzip_file_is_refused():
    packed = bytearray(gzip.compress(b"a,b\n" + b"1,2\n" * 1000))
    packed[-8] ^= 1  # the checksum
    assert "damaged" in refusal(bytes(packed))
    assert "damaged" in refusal(gzip.compress(b"a,b\n1,2\n") + b"something else")


def bomb(block: bytes, times: int, head: bytes = b"") -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(head) + b"".join(packer.compress(block) for _ in range(times)) + packer.flush()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (bomb(b"a" * 2**20, 64), "unpacks to more than 100 times"),
        (bomb(b"1,2\n" * 2**18, 1, b"a,b\n"), "unpacks to more than 100 times"),
        (bomb(b"\n" * 2**20, 1, b"a,b\n"), "unpacks to more than 100 times"),
        (b'a,b\n"' + b'x\n","' * 2**18, "longer than"),
        (b'a,b\n1,"' + b"9" * 200_000, "Line 2: a field is longer than"),
        (b"a,b\n" + b",".join([b"1"] * 600_000), "Line 2: the row is longer than"),
        (b"JobID|State\n" + b"1" * 5_000_000, "Line 2: the row is longer than"),
    ],
    ids=["one line", "rows", "blank lines", "a row without end", "a number", "columns", "a sacct line"],
)
def test_a_bomb_is_refused_early_with_little_memory(content, words, monkeypatch):
    monkeypatch.setattr(unpacking, "WINDOW", 2**18)
    tracemalloc.start()
    try:
        opened = None
        with pytest.raises(FileRefused, match=words):
            opened = table(content)
            for _ in opened.rows:
                pass
        assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
    finally:
        tracemalloc.stop()


def test_the_unpacked_size_has_an_end(monkeypatch):
    monkeypatch.setattr(unpacking, "MOST_BYTES", 1000)
    monkeypatch.setattr(unpacking, "WINDOW", 500)
    assert "Split it" in refusal(gzip.compress(b"a,b\n" + b"1,2\n" * 1000))


def test_parquet_without_its_extra_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without_duckdb(name, *args, **kwargs):
        if name == "duckdb":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_duckdb)
    assert "pip install -r requirements-parquet.txt" in refusal(b"PAR1 and so on PAR1")


@settings(max_examples=examples(50))
@given(st.lists(st.lists(TEXT, min_size=2, max_size=2)))
def test_what_the_csv_module_writes_is_read_back(written):
    file = io.StringIO(newline="")
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([["a", "b"], *written])
    assert [row for _, row in rows(file.getvalue())] == written


@settings(max_examples=examples(50))
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(content):
    try:
        rows(content)
    except FileRefused as refused:
        assert str(refused)
