"""Bodies of 300 MB, announced or in chunks, at a web server as README.md starts it: none is taken in."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from select import select
from tempfile import TemporaryDirectory
from time import monotonic

from dashboard.tests.servers import new_database

from . import Outcome
from .serving import BEHIND_PROXY, HOST, NOBODY, TOKEN, memory_of, signed_in, web_server, workers_of

MEGABYTE = 1024**2
LENGTH = 300 * MEGABYTE
NO_PAGE = "/none/"
ADDRESSES = ("/", "/imports/", "/accounts/login/", "/admin/", "/theme", "/readyz", NO_PAGE)
ANNOUNCED, IN_CHUNKS = f"Content-Length: {LENGTH}", "Transfer-Encoding: chunked"
# There is no page at the last address.
ANSWERS = {ANNOUNCED: (413, 404), IN_CHUNKS: (411, 404)}
FILE = b'--x\r\nContent-Disposition: form-data; name="files"; filename="f"\r\n\r\n'
PIECE = b"a" * 65_536
MOST_SENT, MOST_WRITTEN, MOST_HELD = 16, 1, 16  # MB; what is on its way stands in buffers of the system


@dataclass(frozen=True)
class Tried:
    """status: 0 where nobody answered. sent, written, held: MB by the client, to files, of memory."""

    how: str
    path: str
    status: int
    sent: float
    written: float
    held: float

    @property
    def is_kept_out(self) -> bool:
        is_small = self.sent <= MOST_SENT and self.written <= MOST_WRITTEN and self.held <= MOST_HELD
        as_told = self.status in ANSWERS[self.how] and (self.status == 404) == (self.path == NO_PAGE)
        return is_small and as_told


def drill() -> Outcome:
    with (
        TemporaryDirectory() as folder,
        new_database(Path(folder)) as url,
        web_server(url, workers=1, TMPDIR=folder) as port,
    ):
        cookies = ("", NOBODY, signed_in(url))
        tried = [
            one_tried(port, how, path, cookie) for how in ANSWERS for path in ADDRESSES for cookie in cookies
        ]
    for one in tried:
        if not one.is_kept_out:
            print(one, file=sys.stderr)
    kept_out = sum(one.is_kept_out for one in tried)
    sent, written, held = (max(getattr(one, what) for one in tried) for what in ("sent", "written", "held"))
    figure = (
        f"{kept_out} of {len(tried)} bodies of 300 MB kept out, announced ones by a 413, others by a 411: "
        f"at most {sent:.1f} MB left the client, {written:.2f} MB were written to files, "
        f"{held:.1f} MB more memory held"
    )
    return Outcome(kept_out == len(tried), figure)


def one_tried(port: int, how: str, path: str, cookie: str) -> Tried:
    [process] = workers_of(port)
    written, held = written_by(process), memory_of(process)
    status, sent = answer(port, how, path, cookie)
    grown = (memory_of(process) - held) / 1024
    return Tried(how, path, status, sent / MEGABYTE, (written_by(process) - written) / MEGABYTE, grown)


def written_by(process: int) -> int:
    """Bytes to files: sockets are not counted here."""
    io = Path(f"/proc/{process}/io").read_text()
    return int(io.partition("wchar:")[2].split()[0])


def answer(port: int, how: str, path: str, cookie: str) -> tuple[int, int]:
    """The status, and the bytes of the body that were sent until it came."""
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in BEHIND_PROXY.items())]
    lines += [f"Cookie: {cookie}; __Host-csrftoken={TOKEN}", f"X-CSRFToken: {TOKEN}"]
    lines += ["Content-Type: multipart/form-data; boundary=x", how, "", ""]
    with socket.create_connection((HOST, port), timeout=10) as client:
        client.sendall("\r\n".join(lines).encode())
        client.setblocking(False)
        sent, said, until = 0, b"", monotonic() + 30
        pieces = body(how)
        while not said and monotonic() < until and sent < LENGTH:
            readable, writable, _ = select([client], [client], [], 1)
            try:
                if readable:
                    said = client.recv(4096) or b"HTTP/1.1 000"
                elif writable:
                    sent += client.send(next(pieces))
            except OSError:  # it has closed the door
                break
    return int(said.split()[1]) if said else 0, sent


def body(how: str) -> Iterator[bytes]:
    """A file without end."""
    yield chunk(how, FILE)
    while True:
        yield chunk(how, PIECE)


def chunk(how: str, piece: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(piece), piece) if how == IN_CHUNKS else piece
