"""Teams that files name: found by their key, created when new."""

from __future__ import annotations

import uuid
from datetime import datetime
from uuid import UUID

from ..models import ImportRun, Team
from ..models.names import name_key
from .records import Refused, TeamRow
from .rows import remember_created, remember_ids, upsert
from .summary import Tally

NAMESPACE = UUID("a3c1d5de-61a8-5f0b-8c44-1b7f0e9d2a60")


class TeamBook:
    """Every team by key, and those that an import would add."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, TeamRow]] = []
        self.new: dict[UUID, str] = {}
        self.wanted: set[UUID] = set()
        self.renamed: dict[UUID, str] = {}
        self.read_stored()

    def read_stored(self) -> None:
        stored = Team.objects.order_by("created_at", "pk").values_list("pk", "name")
        self.names = dict(stored)
        self.by_name = {name: pk for pk, name in self.names.items()}
        self.by_key: dict[str, UUID] = {}
        for pk, name in self.names.items():
            self.by_key.setdefault(name_key(name), pk)

    def id_of(self, name: str) -> UUID:
        """The team of that name; a new one exists only once `want` and `write` say so."""
        found = self.by_name.get(name) or self.by_key.get(name_key(name))
        return found or self.add(name)

    def add(self, name: str, pk: UUID | None = None) -> UUID:
        pk = pk or self.fresh_id(name)
        self.new[pk] = " ".join(name.split())
        self.by_key[name_key(name)] = pk
        return pk

    def fresh_id(self, name: str) -> UUID:
        """From the name, so that the same files make the same teams, and share the same cents, everywhere."""
        pk = uuid.uuid5(NAMESPACE, name_key(name))
        return uuid.uuid4() if pk in self.names or pk in self.new else pk

    def name_of(self, pk: UUID) -> str:
        return self.new.get(pk) or self.names.get(pk, str(pk))

    def settle(self) -> dict[UUID, UUID]:
        """Reads again what is stored: new team → the one that somebody else has added meanwhile."""
        new, self.new = self.new, {}
        self.read_stored()
        found = {pk: self.by_key[name_key(name)] for pk, name in new.items() if name_key(name) in self.by_key}
        for pk, name in new.items():
            if pk not in found:
                self.add(name, pk)
        return found

    def want(self, teams: set[UUID]) -> None:
        """These teams are used: the new ones among them are to be created."""
        self.wanted |= teams & self.new.keys()

    def plan(self, tally: Tally) -> None:
        seen: set[str] = set()
        for file, row in self.rows:
            key = name_key(row.name)
            if key in seen:
                tally.ignore("a team that the file names already")
            else:
                seen.add(key)
                self.plan_row(file, row, tally)
        tally.table("teams", created=len(self.wanted), changed=len(self.renamed))

    def plan_row(self, file: str, row: TeamRow, tally: Tally) -> None:
        name = " ".join(row.name.split())
        if row.id in self.names:
            self.rename(file, row, name, tally)
        elif name_key(name) in self.by_key and self.by_key[name_key(name)] not in self.new:
            tally.count("unchanged")
        else:
            found = self.by_key.get(name_key(name))
            self.wanted.add(found or self.add(name, row.id))
            tally.count("inserted")

    def rename(self, file: str, row: TeamRow, name: str, tally: Tally) -> None:
        assert row.id is not None
        old = self.names[row.id]
        if old == name:
            tally.count("unchanged")
        elif self.by_key.get(name_key(name), row.id) != row.id:
            tally.refuse(file, Refused(row.line, "name", name, "a free name: another team has it"))
        else:
            self.renamed[row.id] = name
            tally.count("updated")
            tally.example(f"team {old}", row.line, {"name": (old, name)})

    def write(self, run: ImportRun) -> None:
        remember_ids(run, Team, self.renamed)
        stamp = {"created_at": run.written_at, "updated_at": run.written_at}
        created = sorted(self.wanted)
        upsert(Team, [{"id": pk, "name": self.new[pk], **stamp} for pk in created])
        rename(self.renamed, run.written_at)
        remember_created(run, Team, created)


def rename(names: dict[UUID, str], written_at: datetime) -> None:
    for pk, name in names.items():
        Team.objects.filter(pk=pk).update(name=name, updated_at=written_at)
