"""A web server as README.md starts it, on a database of the drill's own, and people who ask it."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlencode

from django.conf import settings
from django.test import Client, override_settings

from dashboard.tests.conftest import PROJECT, make_user
from dashboard.tests.servers import connected_to

HOST = "127.0.0.1"
PRODUCTION = {
    "HELIOX_SECRET_KEY": secrets.token_urlsafe(48),
    "HELIOX_ALLOWED_HOSTS": HOST,
    "HELIOX_BEHIND_PROXY": "1",
}
TOKEN = "x" * 32  # of forms, in cookie and field
BEHIND_PROXY = {"Host": HOST, "X-Forwarded-Proto": "https", "Referer": f"https://{HOST}/"}
NOBODY = "__Host-sessionid=" + "x" * 32  # who has to be looked up


@dataclass(frozen=True)
class Answer:
    """status: 0 where nobody answered."""

    status: int
    seconds: float
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def import_file(url: str, file: Path) -> int:
    """The exit code of the command, in a process of its own: a fork of many threads may wait for ever."""
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": url} | PRODUCTION
    command = [sys.executable, "manage.py", "ingest", str(file)]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True).returncode


@contextmanager
def web_server(url: str, workers: int = 2, **more: str) -> Iterator[int]:
    """Its port. The database is migrated."""
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": url} | PRODUCTION | more
    for command in (["migrate", "-v0"], ["collectstatic", "--noinput", "-v0"]):
        subprocess.run([sys.executable, "manage.py", *command], cwd=PROJECT, env=environment, check=True)
    port = free_port()
    serve = [str(Path(sys.executable).with_name("granian")), "--interface", "wsgi", "--log-level", "warning"]
    serve += ["heliox_site.wsgi:application", "--host", HOST, "--port", str(port)]
    serve += ["--workers", str(workers), "--blocking-threads", "4", "--workers-kill-timeout", "10"]
    log = open(os.environ.get("DRILL_LOG", os.devnull), "a")  # noqa: SIM115 (closed with the server)
    process = subprocess.Popen(serve, cwd=PROJECT, env=environment, stdout=log, stderr=log)
    try:
        seconds_until(lambda: ask(port, "/readyz").status == 200)
        yield port
    finally:
        process.terminate()
        process.wait(60)
        log.close()


def workers_of(port: int) -> list[int]:
    """The processes that answer there: children of the one that was started, beside its helpers."""
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"--port\0{port}\0".encode() in (place / "cmdline").read_bytes():
                children = (place / "task" / place.name / "children").read_text().split()
                return [child for child in map(int, children) if memory_of(child, "VmHWM") > 50_000]
    raise LookupError(f"nobody serves on {port}")


def memory_of(process: int, what: str = "VmRSS") -> int:
    """kB that it holds, or (VmHWM) has held at most."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition(f"{what}:")[2].split()[0])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def seconds_until(happened: Callable[[], bool], most: float = 60) -> float:
    began = monotonic()
    while not happened() and monotonic() < began + most:
        sleep(0.1)
    return monotonic() - began


def ask(
    port: int, path: str, cookie: str = NOBODY, form: dict[str, str] | None = None, timeout: float = 60
) -> Answer:
    """GET, or POST where there is a form."""
    headers = BEHIND_PROXY | {"Cookie": f"{cookie}; __Host-csrftoken={TOKEN}", "X-CSRFToken": TOKEN}
    body = None if form is None else urlencode(form)
    if body is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    began = monotonic()
    connection = HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request("GET" if body is None else "POST", path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        return Answer(answer.status, monotonic() - began, dict(answer.headers), text)
    except (OSError, HTTPException):
        return Answer(0, monotonic() - began)
    finally:
        connection.close()


def signed_in(url: str, name: str = "ada", group: str = "Admin") -> str:
    """The cookie of a new user of the database there, as the server that is asked would give it."""
    key = PRODUCTION["HELIOX_SECRET_KEY"]
    with override_settings(SECRET_KEY=key), connected_to(default=url):
        client = Client()
        client.force_login(make_user(name, group, is_staff=group == "Admin"))
        return f"__Host-sessionid={client.cookies[settings.SESSION_COOKIE_NAME].value}"
