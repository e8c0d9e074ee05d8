"""Throw-away environments of pinned versions; what does not install is told and never silently dropped."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..beside import Failed, environment
from ..measuring import Result

DJANGO = ("Django==5.2.19", "psycopg[binary]==3.3.9")


@dataclass(frozen=True)
class Peer:
    """packages: the first is the one that it is called by. minutes: after which installing is given up."""

    name: str
    packages: tuple[str, ...]
    minutes: int = 4


PEERS = {
    peer.name: peer
    for peer in (
        Peer("Django ListView", DJANGO),
        Peer("django-tables2 + django-filter", (*DJANGO, "django-tables2==3.0.1", "django-filter==26.2")),
        Peer("django-import-export", (*DJANGO, "django-import-export==4.4.3")),
        Peer("datasette", ("datasette==0.65.5",)),
        Peer(
            "Apache Superset",
            # Its own list lacks rich and cachetools, and takes a Flask-Caching that it does not work with.
            ("apache-superset==6.1.0", "Flask-Caching==2.3.1", "rich==15.0.0", "cachetools==8.0.1")
            + ("psycopg2-binary==2.9.13",),
            minutes=8,
        ),
    )
}


@dataclass
class Environments:
    """folder: may hold environments of a run before. missing: why a peer could not be measured."""

    folder: Path
    say: Callable[[str], None]
    missing: dict[str, str] = field(default_factory=dict)

    def programs(self, name: str) -> Path:
        """The directory with its Python; installs it the first time."""
        peer, place = PEERS[name], self.folder / re.sub(r"\W+", "-", name.lower())
        if name in self.missing:
            raise Failed(self.missing[name])
        stamp = place / "installed"
        if not stamp.exists() or stamp.read_text() != " ".join(peer.packages):
            self.say(f"installing {name}")
            self.install(peer, place)
            stamp.write_text(" ".join(peer.packages))
        return place / "bin"

    def install(self, peer: Peer, place: Path) -> None:
        venv = [sys.executable, "-m", "venv", "--clear", str(place)]
        pip = [str(place / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        try:
            subprocess.run(venv, check=True, capture_output=True)
            done = subprocess.run(
                [*pip, *peer.packages],
                timeout=peer.minutes * 60,
                env=environment(),
                capture_output=True,
                text=True,
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"it was not installed after {peer.minutes} minutes") from None
        except (OSError, subprocess.CalledProcessError):
            raise Failed("no virtual environment could be made") from None
        if done.returncode:
            raise Failed(f"pip could not install it: {why(done.stderr)}")


def why(said: str) -> str:
    """pip's last error, without addresses and paths."""
    errors = [line for line in said.splitlines() if line.startswith("ERROR:")]
    words = errors[-1].removeprefix("ERROR: ") if errors else "no reason given"
    return re.sub(r"\S*/\S*", "…", words)[:200]


def tried(environments: Environments, name: str, measure: Callable[[Path], Result]) -> Result:
    """What `measure` finds, given the peer's programs; a note where there is nothing to find."""
    try:
        return measure(environments.programs(name))
    except (Failed, OSError) as failed:
        environments.missing[name] = str(failed)
        environments.say(f"{name} is not measured: {failed}")
        return Result(notes=[f"{name} is not measured: {failed}."])
