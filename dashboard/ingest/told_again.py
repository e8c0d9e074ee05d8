"""Of the rows in files of one call that tell the same figure, those that count."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol, TypeVar

from .files_held import FileContents
from .records import Refused
from .summary import GIVEN_TWICE, Tally


class Said(Protocol):
    """A row of a file: the file's number, name and digest (empty where nobody knows it)."""

    @property
    def file(self) -> int: ...

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str: ...

    @property
    def row(self) -> Any: ...


S = TypeVar("S", bound=Said)


class ToldAgain:
    """The later file's row counts; where they are to be added each file's does, but of one given twice.

    what: "a day" or so. column: the first of those that name it, called: what they name.
    """

    def __init__(
        self,
        what: str,
        column: str,
        called: Callable[[Any], str],
        add: bool,
        contents: FileContents,
        tally: Tally,
    ) -> None:
        self.what, self.column, self.called, self.add = what, column, called, add
        self.contents, self.tally = contents, tally

    def counting(self, told: Sequence[S]) -> list[S]:
        found: dict[Hashable, S] = {}
        for said in told:
            if earlier := next((one for one in found.values() if one.file == said.file), None):
                self.refuse(said, earlier)
                continue
            content = self.contents.of(said.digest) if said.digest else said.file
            if content in found:
                self.tally.ignore(GIVEN_TWICE)
            elif found and not self.add:
                self.tally.ignore(f"{self.what} that a later file tells again")
                found.clear()
            found[content] = said
        return [*found.values()]

    def refuse(self, said: Said, earlier: Said) -> None:
        once = f"said once in the file: line {earlier.row.line} says it under a name that is the same"
        self.tally.refuse(said.name, Refused(said.row.line, self.column, self.called(said.row), once))
