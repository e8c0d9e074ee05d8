"""The audit: each event once as a row that nobody changes and once as a log line."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, replace
from time import monotonic
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import DatabaseError, connection, transaction
from django.db.models.signals import post_save
from django.dispatch import receiver

from . import current
from .current import Asker
from .log_lines import printable
from .models.audit import LONGEST_DETAILS, LONGEST_NAME, LONGEST_SUBJECT, AuditEvent
from .people import usernames
from .people.signals import (
    old_password_wrong,
    recovery_code_used,
    second_factor_failed,
    second_factor_removed,
    second_factor_set_up,
    sign_in_throttled,
)

log = logging.getLogger("heliox.audit")

ACTIONS = {
    "sign-in": "signed in",
    "sign-in failed": "failed to sign in",
    "sign-out": "signed out",
    "refused": "was refused",
    "added": "added",
    "changed": "changed",
    "deleted": "deleted",
    "imported": "imported",
    "import refused": "was refused an import",
    "undone": "undid an import",
    "merged": "merged rows of the same day",
    "exported": "downloaded",
    "password": "set a password",
    "password refused": "gave a wrong old password",
    "throttled": "tried to sign in too often",
    "second factor": "used or changed a second factor",
    "token": "used a token",
    "pruned": "pruned the audit",
    "backup": "made a backup",
    "restored": "restored a backup",
    "closed": "closed a month",
    "withdrawn": "withdrew the close of a month",
    "digest": "sent a digest",
}
EDITS = {ADDITION: "added", CHANGE: "changed", DELETION: "deleted"}
NOBODYS = "by a name that no user has"  # which is not kept: it may be somebody's password
NAMED = 3
_heard: ContextVar[list[AuditEvent] | None] = ContextVar("heard", default=None)
STRANGERS_A_MINUTE = 60


def record(
    action: str, subject: str = "", details: str = "", *, rows: int | None = None, by: Asker | None = None
) -> None:
    """Within a transaction, the event stays exactly where what it tells of stays."""
    event = event_of(action, subject, details, rows, by)
    try:
        event.save()
    except DatabaseError:
        if connection.in_atomic_block:
            raise
        log.exception("An audit event could not be stored", extra={"facts": facts(event)})
        return
    if (heard := _heard.get()) is not None:
        heard.append(event)
    transaction.on_commit(lambda: tell(event))


def record_early(action: str, subject: str, details: str, rows: int) -> None:
    """The same while migrations may be waiting: without the table it is a line of the log alone."""
    if AuditEvent._meta.db_table in connection.introspection.table_names():
        record(action, subject, details, rows=rows)
    else:
        event = event_of(action, subject, details, rows)
        transaction.on_commit(lambda: tell(event))


def event_of(
    action: str, subject: str, details: str, rows: int | None, by: Asker | None = None
) -> AuditEvent:
    one = by or current.asker()
    return AuditEvent(
        action=action,
        who=fitting(one.who, LONGEST_NAME),
        user_id=one.user_id,
        address=fitting(one.address, 45),
        request_id=one.request_id,
        subject=fitting(subject, LONGEST_SUBJECT),
        details=fitting(details, LONGEST_DETAILS),
        rows=rows,
    )


@contextmanager
def hearing() -> Iterator[list[AuditEvent]]:
    """What is recorded within the block, as it comes; of blocks within each other, the inner one hears it."""
    heard: list[AuditEvent] = []
    token = _heard.set(heard)
    try:
        yield heard
    finally:
        _heard.reset(token)


def asker(user: Any = None) -> Asker:
    """Who asks now; `user` where somebody else is said to."""
    one = current.asker()
    return one.known_as(user) if user is not None else one


def fitting(text: str, most: int) -> str:
    """On one line, with what cannot be printed spelled out: no name can pretend to be another line."""
    told = printable(text[: most + 1])
    return told if len(told) <= most else told[: most - 1] + "…"


def tell(event: AuditEvent) -> None:
    log.info(
        "%s %s",
        event.who or "somebody",
        ACTIONS.get(event.action, event.action),
        extra={"facts": facts(event)},
    )


def facts(event: AuditEvent) -> dict[str, Any]:
    names = ("action", "who", "user_id", "address", "request_id", "subject", "details", "rows")
    return {"event_id": event.pk} | {name: getattr(event, name) for name in names}


# Signing in and out


@receiver(user_logged_in)
def signed_in(sender: Any, user: Any, **kwargs: Any) -> None:
    record("sign-in", by=asker(user))


@receiver(user_logged_out)
def signed_out(sender: Any, user: Any, **kwargs: Any) -> None:
    if user is not None:
        record("sign-out", by=asker(user))


@receiver(user_login_failed)
def failed_to_sign_in(sender: Any, credentials: dict[str, Any], **kwargs: Any) -> None:
    name = usernames.known(str(credentials.get(User.USERNAME_FIELD) or ""))
    record("sign-in failed", details="" if name else NOBODYS, by=replace(asker(), who=name, user_id=None))


@receiver(post_save, sender=User)
def password_was_set(sender: Any, instance: Any, **kwargs: Any) -> None:
    """Django forgets the new password only after this; that it hashes an old one anew is no change."""
    if getattr(instance, "_password", None) is not None:
        record("password", str(instance))


@receiver(old_password_wrong)
def gave_wrong_old_password(sender: Any, user: Any, **kwargs: Any) -> None:
    record("password refused", str(user), "a wrong old password", by=asker(user))


@receiver(second_factor_set_up)
def set_up_second_factor(sender: Any, user: Any, **kwargs: Any) -> None:
    record("second factor", str(user), "set up", by=asker(user))


@receiver(second_factor_failed)
def failed_second_factor(sender: Any, user: Any, **kwargs: Any) -> None:
    record("second factor", str(user), "a wrong code", by=asker(user))


@receiver(recovery_code_used)
def used_recovery_code(sender: Any, user: Any, left: int, **kwargs: Any) -> None:
    record("second factor", str(user), f"a recovery code was used, {left} are left", by=asker(user))


@receiver(second_factor_removed)
def removed_second_factor(sender: Any, user: Any, by: Any, **kwargs: Any) -> None:
    record("second factor", str(user), "removed", by=asker(by))


# Refusals


class Strangers:
    """Refusals of people who are not signed in are told in full by log lines; of rows they get so many."""

    def __init__(self) -> None:
        self.minute, self.count = 0, 0

    def may_fill_a_row(self) -> bool:
        minute = int(monotonic() // 60)
        if minute != self.minute:
            self.minute, self.count = minute, 0
        self.count += 1
        return self.count <= STRANGERS_A_MINUTE


strangers = Strangers()


def refused(path: str, reason: str) -> None:
    record_of_stranger("refused", path, reason, asker())


@receiver(sign_in_throttled)
def throttled(sender: Any, user: Any, username: str, retry_after: int, **kwargs: Any) -> None:
    one = asker(user) if user else replace(asker(), who=usernames.known(username), user_id=None)
    wait = f"for {retry_after} seconds"
    record_of_stranger("throttled", "", wait if one.who else f"{NOBODYS}, {wait}", one)


def record_of_stranger(action: str, subject: str, details: str, one: Asker) -> None:
    if one.user_id is None and not strangers.may_fill_a_row():
        facts = {"action": action, "subject": subject, "details": details, **asdict(one)}
        log.info("Somebody %s", ACTIONS[action], extra={"facts": facts})
        return
    record(action, subject, details, by=one)


# Edits


@receiver(post_save, sender=LogEntry)
def edited_one(sender: Any, instance: LogEntry, created: bool, **kwargs: Any) -> None:
    if created:
        edited([instance])


def edited_several(entries: Sequence[LogEntry], together: str = "") -> None:
    """Of those that were written at once, Django sends no signals. together: what is told of all of them."""
    if len(entries) > 1:
        edited(entries, together)


def edited(entries: Sequence[LogEntry], together: str = "") -> None:
    """In the words of the admin's history, one event for all rows of one change."""
    first = entries[0]
    record(
        EDITS[first.action_flag],
        subject_of(entries),
        messages_of(entries, together),
        rows=len(entries),
        by=asker(first.user),
    )


def messages_of(entries: Sequence[LogEntry], together: str) -> str:
    """What differs from row to row is told as far as it fits; the history of each row has all of it."""
    told = [f"together: {together}"] if together else []
    room = LONGEST_DETAILS
    for message in dict.fromkeys(entry.get_change_message() for entry in entries):
        if room < 0:
            break
        told.append(message)
        room -= len(message)
    return " | ".join(told)


def subject_of(entries: Sequence[LogEntry]) -> str:
    kind = entries[0].content_type
    named = "; ".join(entry.object_repr for entry in entries[:NAMED])
    more = f" and {len(entries) - NAMED:,} more" if len(entries) > NAMED else ""
    return f"{kind.name if kind else 'row'} {named}{more}"


# Files


def exporting(path: str, filters: str) -> Callable[[int, bool], None]:
    """To be called when the file has left: by then the request is over, so who asked is noted here.

    Of a file of which only the headers are asked for, nothing leaves.
    """
    one, has_body = asker(), current.asks_for_a_body()

    def told(rows: int, whole: bool) -> None:
        if has_body:
            record("exported", path, filters if whole else f"{filters} (broken off)", rows=rows, by=one)

    return told
