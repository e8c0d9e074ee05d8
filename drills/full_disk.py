"""The disk of the database runs full: figures can be read, and nothing that was acknowledged is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.db import DatabaseError, connection, transaction

from dashboard.models import Team
from dashboard.tests.conftest import make_cost, make_job
from dashboard.tests.servers import connected_to, private_postgresql
from dashboard.trouble import outages

from . import Outcome
from .serving import ask, signed_in, web_server

ROOM = 160  # MB
PAGES = ("/", "/costs/", "/jobs/", "/teams/", "/usage/", "/allocation/", "/jobs/?_export=csv")
WORDS = b"the disk of the database is full"


def drill() -> Outcome:
    with TemporaryDirectory() as folder, small_disk(Path(folder) / "disk") as disk:
        if disk is None:
            return Outcome(None, "NOT TRIED: only root may mount the small disk that it fills")
        with database_on(disk, Path(folder)) as url, web_server(url) as port:
            cookie = signed_in(url)
            with connected_to(default=url):
                make_job()
                make_cost("2025-03-01", "12.34")
                acknowledged = fill(disk)
                read = [ask(port, page, cookie).status for page in PAGES]
                form = {"name": "x" * 250, "_save": "", "note": ""}
                saved = [
                    ask(port, "/admin/dashboard/team/add/", cookie, form | {"name": f"{n}" * 250})
                    for n in range(1, 6)
                ]
                found = Team.objects.filter(name__startswith="acknowledged ").count()
                (disk / "ballast").unlink()
                after = ask(port, "/admin/dashboard/team/add/", cookie, {"name": "after", "_save": ""})
    refused = [answer for answer in saved if answer.status != 302]
    in_words = sum(answer.status == 503 and WORDS in answer.body for answer in refused)
    figure = (
        f"{found:,} of {acknowledged:,} acknowledged rows there, {read.count(200)} of {len(PAGES)} pages and "
        f"files read, {in_words} of {len(refused)} refused saves said why; saved again after room was made: "
        f"{after.status == 302}"
    )
    ok = found == acknowledged and read.count(200) == len(PAGES) and in_words == len(refused) > 0
    return Outcome(ok and after.status == 302, figure)


@contextmanager
def small_disk(place: Path) -> Iterator[Path | None]:
    place.mkdir()
    os.chmod(place.parent, 0o755)
    command = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}m", "none", str(place)]
    if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
        yield None
        return
    os.chmod(place, 0o777)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def database_on(disk: Path, roomy: Path) -> Iterator[str]:
    """Of the kind that the drill runs on. PostgreSQL's log of changes has room elsewhere, as it should."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{disk / 'heliox.sqlite3'}"
        return
    postgresql = private_postgresql()
    with postgresql.server(postgresql.SETTINGS | {"synchronous_commit": "on"}) as database:
        database.stop()
        log, data = database.data / "pg_wal", disk / "data"
        shutil.move(log, database.folder / "pg_wal")
        shutil.copytree(database.data, data, copy_function=copied_with_owner)
        own(data, database.account)
        (data / "pg_wal").symlink_to(database.folder / "pg_wal")
        database.data = data
        database.start()
        yield database.url


def copied_with_owner(source: str, target: str) -> None:
    shutil.copy2(source, target)


def own(folder: Path, account: Any) -> None:
    for path in [folder, *folder.rglob("*")]:
        if account:
            os.chown(path, account.pw_uid, account.pw_gid)
    folder.chmod(0o700)


def fill(disk: Path) -> int:
    """Rows until nothing more can be saved; how many were acknowledged."""
    free = shutil.disk_usage(disk).free
    with open(disk / "ballast", "wb") as ballast:
        ballast.write(bytes(max(free - 8 * 1024**2, 0)))
    acknowledged = 0
    try:
        while True:
            with transaction.atomic():
                Team.objects.bulk_create(
                    Team(name=f"acknowledged {acknowledged + n} ".ljust(250, "x")) for n in range(50)
                )
            acknowledged += 50
    except DatabaseError as error:
        assert outages.in_words(error).startswith("the disk"), error
    return acknowledged
