"""Errors about a team that nobody outside may know of, or requests: what is sent of them, a line each."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any
from wsgiref.util import setup_testing_defaults

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


def ask(**headers: str) -> None:
    """As a browser that would have its requests traced, which nobody here wants to be told of."""
    from heliox_site.wsgi import application

    asked: dict[str, Any] = {"PATH_INFO": "/accounts/login/", "HTTP_SENTRY_TRACE": f"{'1' * 32}-{'2' * 16}-1"}
    setup_testing_defaults(asked)
    answer = application(asked | headers, lambda *started: None)
    b"".join(answer)
    answer.close()


def ask_wrongly() -> None:
    ask(HTTP_HOST="localhost")
    ask(HTTP_HOST="evil.example")
    for wrong in ("TooManyFieldsSent", "RequestDataTooBig"):
        logging.getLogger(f"django.security.{wrong}").error(wrong, exc_info=ValueError(wrong))


if __name__ == "__main__":
    init = sentry_sdk.init
    sentry_sdk.init = lambda **how: init(transport=Printing, **how)
    django.setup()
    ask_wrongly() if sys.argv[1:] == ["ask"] else send_all()
