"""sacct quotes nothing: the row of a text that holds its delimiter has more fields than the header."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from dashboard.ingest.formats.columns import Columns
from dashboard.ingest.records import Refused
from dashboard.ingest.values import listed

# Columns of sacct in which anything may stand.
FREE_TEXTS = frozenset(
    {"JobName", "SubmitLine", "Comment", "AdminComment", "SystemComment", "WorkDir", "Extra"}
    | {"Constraints", "Container", "Licenses", "StdErr", "StdIn", "StdOut"}
)

Forms = Mapping[str, Callable[[str], bool]]  # how the values of other columns look


class FreeTexts:
    def __init__(self, columns: Columns, job_id: str, read: Iterable[str], forms: Forms) -> None:
        """read: the columns whose values matter."""
        position = columns.position
        self.width, self.own_id = columns.width, position[job_id]
        self.texts = {position[name]: name for name in position if name in FREE_TEXTS}
        self.read = [position[name] for name in read if name in position]
        self.forms = [(position[name], form) for name, form in forms.items() if name in position]

    def mended(self, line: int, row: list[str]) -> list[str] | Refused:
        """A row with surplus fields, which belong to the one text where all that has a form keeps it."""
        if not self.texts:
            return row
        if self.own_id < min(self.texts) and "." in row[self.own_id]:
            return row[: self.width]  # a job step, of which nothing else is read
        surplus = len(row) - self.width
        wholes = [with_text_at(place, row, surplus) for place in self.texts]
        if len(wholes) == 1:
            return wholes[0]
        found = {tuple(whole[at] for at in self.read): whole for whole in wholes if self.keeps_forms(whole)}
        return found.popitem()[1] if len(found) == 1 else self.refused(line, row)

    def keeps_forms(self, row: list[str]) -> bool:
        return all(form(row[place]) for place, form in self.forms)

    def refused(self, line: int, row: list[str]) -> Refused:
        names = listed((self.texts[place] for place in sorted(self.texts)), most=len(self.texts))
        return Refused(
            line,
            "",
            f"{len(row)} fields",
            f"{self.width} as in the header: a | stands in a text, and which of {names} it is "
            "is not certain. Of these, ask sacct for JobName alone",
        )


def with_text_at(place: int, fields: list[str], surplus: int) -> list[str]:
    """The fields when those that are too many belong to the text at this place."""
    end = place + surplus + 1
    return [*fields[:place], "|".join(fields[place:end]), *fields[end:]]
