"""Log lines: one line per event whatever a name holds, JSON in production, readable at a developer's desk."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from . import current


def printable(text: str) -> str:
    """The same on one line: controls, marks that turn the direction and all line breaks are spelled out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def when(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def facts_of(record: logging.LogRecord) -> dict[str, Any]:
    """`log.info("…", extra={"facts": {…}})`, and who asked."""
    # Django tells some things of a request when it is over here already.
    number = current.request_id() or getattr(getattr(record, "request", None), "id", "")
    asked = {"request_id": number, "user_id": current.user_id()}
    told = getattr(record, "facts", {})
    return {key: value for key, value in (asked | told).items() if value not in (None, "")}


class AskedWrongly(logging.Filter):
    """Of a logger: what anybody can ask wrongly is no mistake of ours, nor worth a traceback each time."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.exc_info = None
        return True


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": when(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        } | facts_of(record)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class ReadableLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{key}={value}" for key, value in facts_of(record).items())
        line = printable(f"{when(record)[11:23]} {record.levelname} {record.getMessage()}  {facts}".rstrip())
        if not record.exc_info:
            return line
        traceback = self.formatException(record.exc_info).splitlines()
        return "\n".join([line, *(f"    {printable(each)}" for each in traceback)])
