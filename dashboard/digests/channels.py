"""The ways a digest leaves: mail and a webhook that understands Slack's. Each says how sure a failure is."""

from __future__ import annotations

import json
import smtplib
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

from django.core import mail

from .telling import Message

TIMEOUT = 10  # seconds
LOOPBACK = ("localhost", "127.0.0.1", "::1")
NEVER_REACHED = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)


class CertainlyNotSent(Exception):
    """It was refused, or nobody was reached: it can be tried again."""


class PerhapsSent(Exception):
    """It broke off on the way: to try again could send it twice."""


Channel = Callable[[Message], None]


def by_mail(to: str) -> Channel:
    return lambda message: send_mail(message, to)


def send_mail(message: Message, to: str) -> None:
    headers = {"Auto-Submitted": "auto-generated"}
    letter = mail.EmailMultiAlternatives(message.subject, message.text, to=[to], headers=headers)
    letter.attach_alternative(message.html, "text/html")
    connection = mail.get_connection()
    try:
        connection.open()
    except OSError as error:
        raise CertainlyNotSent(in_words(error)) from error
    try:
        connection.send_messages([letter])
    except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
        raise CertainlyNotSent(in_words(error)) from error
    except OSError as error:
        raise PerhapsSent(in_words(error)) from error
    finally:
        with suppress(OSError):
            connection.close()


def by_webhook(url: str) -> Channel:
    return lambda message: post(message, url)


def post(message: Message, url: str) -> None:
    body = json.dumps({"text": f"{message.subject}\n\n{message.chat}"}).encode()
    request = Request(url, data=body, headers={"Content-Type": "application/json"})  # noqa: S310
    try:
        opener(url).open(request, timeout=TIMEOUT).close()
    except HTTPError as error:
        error.close()
        raise (PerhapsSent if error.code >= 500 else CertainlyNotSent)(f"it answered {error.code}") from None
    except URLError as error:
        certain = isinstance(error.reason, NEVER_REACHED)
        raise (CertainlyNotSent if certain else PerhapsSent)(in_words(error.reason)) from None
    except (OSError, HTTPException) as error:
        raise PerhapsSent(in_words(error)) from None


class NoRedirects(HTTPRedirectHandler):
    """What is posted goes to the address that was set, and to no other."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def opener(url: str) -> OpenerDirector:
    direct = [ProxyHandler({})] if urlsplit(url).hostname in LOOPBACK else []
    return build_opener(NoRedirects, *direct)


def in_words(error: Any) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
