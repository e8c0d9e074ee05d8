"""Looks whether everything is as it should be, and says what to do where it is not.

Each check yields findings; one that cannot be made is a finding, too, and the others go on.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg
from django.apps import apps
from django.conf import settings
from django.contrib.sessions.models import Session
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core import checks, mail
from django.db import DatabaseError, connection
from django.utils import timezone

from . import applied, late_indexes, rollups, typed, workers, writes
from .counted import are, counted, have
from .models import AuditEvent, GpuTimeChange, SentDigest
from .naming import Names
from .replica import REPLICA, Replica
from .reports.freshness import Freshness
from .reports.quality import results
from .rollups import triggers
from .scope import Scope

OK, LOOK, BAD = "ok", "look", "bad"
GIGABYTE = 1024**3
OLDEST_POSTGRESQL, OLDEST_SQLITE = 14, (3, 37)
MOST_UNSETTLED = 100_000
MOST_EXPIRED = 100_000
MANY_EVENTS = 5_000_000
LATE_DIGEST = timedelta(days=3)


@dataclass(frozen=True)
class Finding:
    """what was looked at, what was found, and what to do about it."""

    level: str
    what: str
    found: str
    todo: str = ""


Findings = Iterator[Finding]


def examine(thorough: bool = False) -> Findings:
    yield from looked_at(OF_THIS_MACHINE)
    if why := unreachable():
        todo = "Start it, or mend DATABASE_URL. What is stored there was not looked at."
        yield Finding(BAD, "database", why, todo)
        return
    yield from looked_at([*OF_THE_DATABASE, recounted] if thorough else OF_THE_DATABASE)


def looked_at(every: list[Callable[[], Findings]]) -> Findings:
    for check in every:
        try:
            yield from check()
        except Exception as error:  # whatever is wrong with one thing, the others are looked at
            said = in_one_line(error)
            yield Finding(BAD, check.__name__.replace("_", " ").strip(), said, "Mend this, then look again.")


def in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def told(what: str, found: str, todo: str = "", *, bad: Any = False, odd: Any = False) -> Finding:
    """What to do is said where there is something to do."""
    level = BAD if bad else LOOK if odd else OK
    return Finding(level, what, found, "" if level == OK else todo)


# Settings and files


def settings_() -> Findings:
    if settings.LOCAL:
        words = "for a developer or a demonstration"
        yield told("settings", words, "In service, unset HELIOX_DEBUG.", odd=True)
    tags = [tag for tag in checks.registry.registry.tags_available() if tag != "database"]
    said = checks.run_checks(tags=tags, include_deployment_checks=not settings.LOCAL)
    open_ones = [message for message in said if not message.is_silenced()]
    for message in open_ones:
        yield told("settings", message.msg, message.hint or "", bad=message.is_serious(), odd=True)
    if not open_ones:
        yield told("settings", "Django's checks find nothing")
    if not (settings.LOCAL or settings.HELIOX_BEHIND_PROXY):
        todo = "Behind a proxy with TLS, set HELIOX_BEHIND_PROXY=1: else all people share one address."
        yield told("proxy", "not believed", todo, odd=True)


def static_files() -> Findings:
    if settings.PLAIN_STATIC:
        yield told("static files", "served as they are")
        return
    collected: dict[str, str] = getattr(staticfiles_storage, "hashed_files", {})
    source = Path(settings.STATICFILES_DIRS[0])
    ours = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    missing = ours - collected.keys()
    found = (
        f"{len(missing)} of {len(ours)} {are(len(missing))} missing"
        if missing
        else f"all {len(ours)} are collected"
    )
    yield told("static files", found, "Run manage.py collectstatic.", bad=missing)


def time_zone() -> Findings:
    now = timezone.localtime()
    found = f"{settings.TIME_ZONE}, where it is {now:%Y-%m-%d %H:%M}"
    yield told("time zone", found, "Set the clock of this machine.", bad=now.year < 2026)


def uploads() -> Findings:
    folder = Path(settings.FILE_UPLOAD_TEMP_DIR or tempfile.gettempdir())
    if not os.access(folder, os.W_OK):
        yield told("uploads", f"{folder} cannot be written to", "Set TMPDIR to one that can be.", bad=True)
        return
    free, wanted = shutil.disk_usage(folder).free, 4 * settings.HELIOX_UPLOAD_MB * 1024**2
    todo = f"Make room: uploads of {settings.HELIOX_UPLOAD_MB} MB pass through it."
    yield told("uploads", f"{size(free)} free in {folder}", todo, odd=free < wanted)


def mail_() -> Findings:
    if not settings.HELIOX_MAIL_URL:
        yield told("mail", "not set up, so none is sent")
        return
    with mail.get_connection(timeout=10):
        yield told("mail", f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT} answers")


def digest() -> Findings:
    last = SentDigest.objects.order_by("-at").first()
    sent = f"last sent on {last.at:%Y-%m-%d}, of {last.day}" if last else "none was sent yet"
    to = len(settings.HELIOX_DIGEST_TO) + bool(settings.HELIOX_DIGEST_WEBHOOK)
    if not (to or last or settings.HELIOX_MAIL_URL):
        yield told("digest", "not set up, so none is sent")
        return
    said = counted(to, "recipient") if to else "mail is set up, but no recipient"
    todo = "Set HELIOX_DIGEST_TO, and let cron run manage.py send_digest each morning."
    late = last is None or timezone.now() - last.at > LATE_DIGEST
    yield told("digest", f"{said}; {sent}", todo, odd=late or not to)


# The database


def unreachable() -> str:
    """Why nobody can ask the database; a pool of connections would only say that it waited."""
    try:
        if connection.vendor == "postgresql":
            psycopg.connect(**connection.get_connection_params()).close()
        connection.ensure_connection()
    except (DatabaseError, psycopg.Error) as error:
        return in_one_line(error)
    return ""


def in_the_way(command: str) -> str:
    """Why no command could do its work now, in a sentence; empty where the fault is elsewhere."""
    if why := unreachable():
        return f"Heliox cannot reach its database: {why}"
    lacking = "" if command == "migrate" else applied.lacking_in_words()
    return f"The database is not up to date: {lacking}. Run manage.py migrate." if lacking else ""


def database() -> Findings:
    began = perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    took = f"answers in {(perf_counter() - began) * 1000:.0f} ms"
    yield from on_postgresql(took) if connection.vendor == "postgresql" else on_sqlite(took)


def on_postgresql(took: str) -> Findings:
    version = ask("SHOW server_version")
    old = int(re.match(r"\d+", version)[0]) < OLDEST_POSTGRESQL  # type: ignore[index]
    todo = f"Use PostgreSQL {OLDEST_POSTGRESQL} or newer."
    yield told("database", f"PostgreSQL {version} {took}", todo, bad=old)
    big = size(ask("SELECT pg_database_size(current_database())"))
    yield told("size", f"{big}; the room on its disk cannot be seen from here")
    apart = abs((ask("SELECT clock_timestamp()") - datetime.now(UTC)).total_seconds())
    todo = "Let both machines keep time by NTP."
    yield told("clock", f"{apart:.1f} s from the database's", todo, bad=apart > 5, odd=apart > 1)
    used, most = ask("SELECT COUNT(*) FROM pg_stat_activity"), int(ask("SHOW max_connections"))
    todo = "Raise max_connections, or run fewer workers."
    yield told("connections", f"{used} of {most}", todo, bad=used > 0.95 * most, odd=used > 0.8 * most)
    yield limits(os.environ.get("PGOPTIONS", ""))
    yield sorting()


def sorting() -> Finding:
    """Only names that sort by their characters come in the same order on every database."""
    plain = ask("SELECT 'B' < 'a' AND 'Z' < '_'")
    said = "names come in the order of their characters" if plain else "names come in the order of a language"
    todo = "SQLite lists them otherwise; one made with LOCALE 'C.UTF-8' TEMPLATE template0 agrees."
    return told("sorting", said, todo, odd=not plain)


def limits(given: str) -> Finding:
    page, lock = settings.HELIOX_PAGE_SECONDS, settings.HELIOX_LOCK_SECONDS
    said = f"PGOPTIONS says {given}" if given else f"pages give up after {page} s, {lock} s for a lock"
    todo = "Name statement_timeout and lock_timeout there: it replaces the limits as shipped."
    return told("timeouts", said, todo, odd=given and "statement_timeout" not in given)


def on_sqlite(took: str) -> Findings:
    old = sqlite3.sqlite_version_info < OLDEST_SQLITE
    yield told("database", f"SQLite {sqlite3.sqlite_version} {took}", "Use a newer Python.", bad=old)
    file = Path(settings.DATABASES["default"]["NAME"])
    big, free = file.stat().st_size if file.is_file() else 0, shutil.disk_usage(file.parent).free
    todo = "Make room: a backup or a restore takes as much again."
    few = free < 2 * big + GIGABYTE
    yield told("size", f"{size(big)}, {size(free)} free", todo, bad=free < GIGABYTE / 10, odd=few)
    yield from who_may_read(file)
    mode, wait = ask("PRAGMA journal_mode"), ask("PRAGMA busy_timeout")
    todo = "Do not override them in DATABASE_URL: readers would wait for writers."
    said = f"journal {mode}, {wait} ms for a lock"
    yield told("timeouts", said, todo, odd=mode != "wal" or wait < 5_000)


def who_may_read(file: Path) -> Findings:
    """It holds hashes of passwords and the keys of second factors; SQLite makes it for all to read."""
    if file.is_file():
        mode = file.stat().st_mode & 0o777
        may_enter = all(folder.stat().st_mode & 0o001 for folder in file.resolve().parents)
        todo = f"chmod o= {file}*: others on this machine can read what it holds."
        yield told("file", f"{file.name} is of mode {mode:o}", todo, odd=mode & 0o006 and may_enter)


def replica() -> Findings:
    if REPLICA in settings.DATABASES:
        trouble = Replica().trouble()
        yield told("replica", trouble or "answers and is near enough", "See docs/scaling.md.", odd=trouble)


def migrations() -> Findings:
    lacking = len(applied.lacking())
    all_are = f"all {len(applied.on_disk())} are applied"
    found = f"{lacking} {are(lacking)} not applied" if lacking else all_are
    yield told("migrations", found, "Run manage.py migrate.", bad=lacking)


def indexes() -> Findings:
    """A killed import on SQLite leaves some out, and a restore by other tools may."""
    models = [model for model in apps.get_app_config("dashboard").get_models() if model._meta.managed]
    lost = [
        index.name
        for model in models
        for index in late_indexes.missing(model, late_indexes.names_of(model._meta.db_table))
    ]
    count = sum(len(model._meta.indexes) for model in models)
    found = f"{', '.join(sorted(lost))} missing" if lost else f"all {count} are there"
    yield told("indexes", found, "Run manage.py roll_up: until then pages are slow.", bad=lost)


def roll_ups() -> Findings:
    spread, there = workers.hold_jobs(connection), triggers.are_there(connection)
    found = "are there" if there else "cannot be: workers hold the jobs" if spread else "are missing"
    yield told("triggers", found, "Run manage.py roll_up --rebuild.", bad=not (there or spread))
    yield pages_kept(spread)
    noted = GpuTimeChange.objects.order_by()[: MOST_UNSETTLED + 1].count()
    todo = "Run manage.py roll_up: pages add these up each time."
    yield told(
        "roll-ups",
        f"{counted(noted, 'change')} {are(noted)} not settled",
        todo,
        odd=noted > MOST_UNSETTLED / 10,
    )


def pages_kept(spread: bool) -> Finding:
    if settings.HELIOX_PAGES_MB and not spread:
        if writes.state(connection) is not None:
            return told("pages", "are kept until something is written")
        found = "are made at each visit: not every write is noted"
        return told("pages", found, "Run manage.py roll_up --rebuild.", odd=True)
    why = "workers hold the jobs" if settings.HELIOX_PAGES_MB else "HELIOX_PAGES_MB is 0"
    return told("pages", f"are made at each visit: {why}")


def recounted() -> Findings:
    wrong = sum(1 for _ in rollups.verify())
    found = (
        f"{wrong:,} of the sums {'differs' if wrong == 1 else 'differ'} from the jobs"
        if wrong
        else "equal to the jobs, all recounted"
    )
    yield told("roll-ups", found, "Run manage.py roll_up --rebuild.", bad=wrong)


# What is stored


def values() -> Findings:
    """PostgreSQL keeps to the types of its columns by itself."""
    if connection.vendor == "postgresql":
        return
    there = typed.are_there(connection)
    found = "what no page could read is refused" if there else "the triggers that refuse them are missing"
    yield told("values", found, "Run manage.py roll_up --rebuild.", bad=not there)
    for column, count in typed.unreadable(connection):
        todo = "Mend or delete these rows by SQL: pages that read them fail."
        yield told("values", f"{count:,} in {column} cannot be read", todo, bad=True)


def data() -> Findings:
    names = Names.load()
    freshness = Freshness.load(names)
    late = [one.provider for one in freshness.providers if one.late]
    through = freshness.through()
    said = f"bills are complete through {through}" if through else "nothing is stored yet"
    todo = f"No rows for long: {', '.join(late)}. Import their bills, if they still send any."
    yield told("freshness", said, todo, odd=late)
    for result in results(Scope(), names, freshness):
        if result.findings:
            found = f"{result.check.title}: {result.count:,}"
            yield told("data", found, "The page Data quality names them.", odd=True)


def backups() -> Findings:
    last = AuditEvent.objects.filter(action="backup").order_by("-id").first()
    age = timezone.now() - last.at if last else None
    said = "none is known" if age is None else made(age)
    todo = "Let cron run manage.py backup FILE each night, or make sure that other tools do."
    yield told("backup", said, todo, odd=age is None or age > timedelta(days=2))


def made(age: timedelta) -> str:
    return f"made {counted(age.days, 'day')} ago" if age.days else "made today"


def what_grows() -> Findings:
    expired = Session.objects.filter(expire_date__lt=timezone.now()).order_by()[: MOST_EXPIRED + 1].count()
    todo = "Let cron run manage.py clearsessions each night."
    yield told("sessions", f"{expired:,} {have(expired)} expired", todo, odd=expired > MOST_EXPIRED / 10)
    events = AuditEvent.objects.order_by()[: MANY_EVENTS + 1].count()
    todo = "manage.py prune_audit --days 400 takes old ones away."
    yield told("audit", counted(events, "event"), todo, odd=events > MANY_EVENTS)


def ask(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def size(number: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} TB"


OF_THIS_MACHINE: list[Callable[[], Findings]] = [settings_, static_files, time_zone, uploads, mail_]
OF_THE_DATABASE: list[Callable[[], Findings]] = [
    digest,
    database,
    replica,
    migrations,
    indexes,
    roll_ups,
    values,
    data,
    backups,
    what_grows,
]
