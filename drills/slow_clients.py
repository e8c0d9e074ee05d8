"""Two hundred connections that say nothing or little by little, and people who hardly read their files."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPSConnection
from itertools import cycle, islice
from threading import Event, Thread
from time import monotonic

from dashboard.tests.servers import private_postgresql

from . import Outcome, many_jobs, proxy
from .serving import BEHIND_PROXY, HOST, ask, signed_in, web_server

SLOW, CHECKS, READERS, JOBS = 200, 20, 20, 200_000
FILE = "/jobs/?preset=all&_export=csv"
HEAD = f" HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-Proto: https\r\n"
FORM = f"POST /accounts/login/{HEAD}"
# What each kind sends at once, and then byte by byte.
KINDS = (
    (b"", b""),
    (b"", FORM.encode() * 100),
    (f"{FORM}Content-Length: 5000\r\n\r\n".encode(), b"x" * 5000),
    (
        f"GET {FILE} HTTP/1.1\r\nHost: {HOST}\r\nCookie: COOKIE\r\nX-Forwarded-Proto: https\r\n\r\n".encode(),
        b"",
    ),
)


def drill() -> Outcome:
    with private_postgresql().server() as database, web_server(database.url) as port:
        many_jobs.fill(database.url, JOBS)
        cookie = signed_in(database.url)
        pages, files = beside_slow_readers(port, cookie)
        figure = (
            f"beside {READERS} who hardly read a file of {JOBS:,} jobs {pages} of {CHECKS} pages came "
            f"within 2 s, {files.count(503)} of {len(files)} further files were a 503"
        )
        ok = pages == CHECKS and set(files) <= {200, 503}
        if not proxy.program():
            left = f"NOT TRIED: {SLOW} slow connections, for nginx is not installed"
            return Outcome(None if ok else False, f"{figure}; {left}")
        with proxy.nginx(port) as front, slow_connections(front, cookie):
            checks = [seconds_of("/healthz", front) for _ in range(CHECKS)]
        well = sum(seconds < 2 for seconds in checks)
    figure += (
        f"; behind nginx with {SLOW} slow or half-open connections {well} of {CHECKS} health checks came "
        f"within 2 s, the longest took {max(checks):.2f} s"
    )
    return Outcome(ok and well == CHECKS, figure)


def beside_slow_readers(port: int, cookie: str) -> tuple[int, list[int]]:
    """Pages within two seconds, and how further files were answered; straight at the server."""
    with ExitStack() as opened:
        for _ in range(READERS):
            reader = HTTPConnection(HOST, port, timeout=60)
            opened.callback(reader.close)
            reader.request("GET", FILE, headers=BEHIND_PROXY | {"Cookie": cookie})
        answers = [ask(port, "/jobs/", cookie) for _ in range(CHECKS)]
        files = [ask(port, "/teams/?_export=csv", cookie).status for _ in range(5)]
    return sum(one.status == 200 and one.seconds < 2 for one in answers), files


@contextmanager
def slow_connections(port: int, cookie: str) -> Iterator[None]:
    """Half of them come by TCP alone, the others shake hands; those that are sent away come again."""
    over = Event()
    kinds = list(islice(cycle(KINDS), SLOW))
    threads = [Thread(target=be_slow, args=(port, cookie, n % 8 < 4, over, *kinds[n])) for n in range(SLOW)]
    for thread in threads:
        thread.start()
    over.wait(5)
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def be_slow(port: int, cookie: str, shakes_hands: bool, over: Event, first: bytes, rest: bytes) -> None:
    first = first.replace(b"COOKIE", cookie.encode())
    while not over.is_set():
        try:
            with connected(port, shakes_hands) as connection:
                connection.sendall(first)
                for byte in rest:
                    if over.wait(0.5):
                        return
                    connection.sendall(bytes([byte]))
                over.wait(15)
        except OSError:
            over.wait(0.5)


def connected(port: int, shakes_hands: bool) -> socket.socket:
    plain = socket.create_connection((HOST, port), timeout=20)
    return trusting().wrap_socket(plain) if shakes_hands else plain


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def seconds_of(path: str, port: int) -> float:
    """From the first packet to the last; a minute where nobody answers."""
    began = monotonic()
    connection = HTTPSConnection(HOST, port, timeout=20, context=trusting())
    try:
        connection.request("GET", path)
        assert connection.getresponse().read() == b"ok"
        return monotonic() - began
    except OSError:
        return 60.0
    finally:
        connection.close()
