"""The formats that Heliox reads: one module each, in one list.

A format has NAME, LABEL, recognises(header) and read(table, options, notes), which yields one
record per row of the file and adds to `notes` what the person who imports should know. A format with
optional columns has SAYS too: which of them, when missing, leave what is stored as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from dashboard.ingest.formats import costs, focus, jobs, periods, slurm, teams, usage
from dashboard.ingest.records import FileRefused, Options, Record
from dashboard.ingest.table import PIPE, Table
from dashboard.ingest.values import listed


class Format(Protocol):
    NAME: str
    LABEL: str

    def recognises(self, header: tuple[str, ...]) -> bool: ...

    def read(self, table: Table, options: Options, notes: list[str]) -> Iterator[Record]: ...


FORMATS: tuple[Format, ...] = (focus, slurm, jobs, periods, costs, usage, teams)

SEPARATORS = {";": "semicolons", "\t": "tabs", PIPE: "vertical bars"}
WITH_COMMAS = "save the file with commas"


def of(table: Table, name: str | None = None) -> Format:
    """The format that is named, else the one that its header belongs to."""
    known = named(name) if name else recognise(table.header)
    refuse_other_separators(table.header)
    if table.separator == PIPE and known is not slurm:  # only sacct puts no quotation marks around texts
        raise separated_by(PIPE)
    return known


def recognise(header: tuple[str, ...]) -> Format:
    """The format that this header belongs to, whatever the file is called."""
    for known in FORMATS:
        if known.recognises(header):
            return known
    refuse_other_separators(header)
    labels = "; ".join(known.LABEL for known in FORMATS)
    raise FileRefused(f"Unknown format: the header has {listed(header)}. Known are: {labels}.")


def refuse_other_separators(header: tuple[str, ...]) -> None:
    """A header that is a single column holds those that were meant."""
    if len(header) == 1 and (separator := next((s for s in SEPARATORS if s in header[0]), None)):
        is_a_log = slurm.recognises(tuple(header[0].split(separator)))
        raise separated_by(separator, slurm.AS_IT_IS if is_a_log else WITH_COMMAS)


def separated_by(separator: str, cure: str = WITH_COMMAS) -> FileRefused:
    return FileRefused(f"The columns are separated by {SEPARATORS[separator]}: {cure}.")


def named(name: str) -> Format:
    for known in FORMATS:
        if name == known.NAME:
            return known
    raise FileRefused(f"There is no format {name!r}; there are {', '.join(known.NAME for known in FORMATS)}.")
