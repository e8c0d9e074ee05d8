"""Errors about a team that nobody outside may know of, and what is sent of them, a line each."""

from __future__ import annotations

import json
import logging
from typing import Any

import django
import sentry_sdk
from django.db import IntegrityError
from sentry_sdk.transport import Transport

NAME = bytes.fromhex("436f76657274").decode()  # the lines of this file are sent, too


class Printing(Transport):
    def capture_envelope(self, envelope: Any) -> None:
        for item in envelope.items:
            print(json.dumps(item.payload.json))


def stored(name: str) -> None:
    raise IntegrityError(f"DETAIL: Key (name)=({name}) already exists.")


def chained(name: str) -> None:
    try:
        stored(name)
    except IntegrityError as error:
        error.add_note(name)
        raise KeyError(name) from error


def grouped(name: str) -> None:
    raise ExceptionGroup(name, [ValueError(name), FileNotFoundError(2, name, name)])


def send_all() -> None:
    sentry_sdk.set_tag("team", NAME)
    sentry_sdk.set_extra("team", NAME)
    sentry_sdk.set_user({"username": NAME})
    sentry_sdk.set_context("team", {"name": NAME})
    sentry_sdk.add_breadcrumb(message=NAME)
    for fail in (chained, grouped):
        try:
            fail(NAME)
        except Exception as error:
            sentry_sdk.capture_exception(error)
    logging.getLogger("heliox").error("Something is wrong with %s", NAME, extra={"team": NAME})
    sentry_sdk.capture_message(NAME)


if __name__ == "__main__":
    init = sentry_sdk.init
    sentry_sdk.init = lambda **how: init(transport=Printing, **how)
    django.setup()
    send_all()
