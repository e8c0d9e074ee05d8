"""Files of 100 MB made to take time and memory: each is refused by the reader, and by the page of imports."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from html import escape
from http.client import HTTPConnection, HTTPException
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from dashboard.tests.servers import new_database

from . import Outcome
from .serving import BEHIND_PROXY, HOST, TOKEN, ask, memory_of, signed_in, web_server, workers_of

os.environ.setdefault("BOMB_MB", "100")
SECONDS, MEGABYTES = 2, 100


@dataclass(frozen=True)
class Taken:
    """words: of the refusal; empty where there is none. seconds: of CPU. mb: beyond what was held before.

    waited: seconds until the refusal was there.
    """

    name: str
    words: str
    seconds: float
    mb: float
    waited: float = 0


def drill() -> Outcome:
    with TemporaryDirectory() as folder:
        read = list(by_the_reader(Path(folder) / "file"))
        with new_database(Path(folder)) as url, web_server(url, workers=1, HELIOX_UPLOAD_MB="128") as port:
            sent = list(by_the_page(port, signed_in(url), Path(folder) / "file", read))
    ok, of_reader = told(read, "by the reader")
    also_ok, of_page = told(sent, "by the server when they are sent to its page")
    waited = f"which took {max(one.waited for one in sent):.1f} s with sending"
    return Outcome(ok and also_ok, f"{of_reader}; {of_page}, {waited}")


def told(taken: list[Taken], where: str) -> tuple[bool, str]:
    seconds, most = max(one.seconds for one in taken), max(one.mb for one in taken)
    refused = sum(bool(one.words) for one in taken)
    most_taken = f"at most {seconds:.1f} s of CPU and {most:.0f} MB"
    figure = f"{refused} of {len(taken)} refused in words, {most_taken} {where}"
    return refused == len(taken) and seconds < SECONDS and most < MEGABYTES, figure


def by_the_reader(path: Path) -> Iterator[Taken]:
    """Each in a process of its own."""
    from dashboard.tests.bombs import BOMBS, taken

    for name, parts in BOMBS.items():
        write(path, parts())
        [took] = taken([path])
        yield Taken(name, took["words"], took["seconds"], took["mb"])


def write(path: Path, parts: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(parts)


def by_the_page(port: int, cookie: str, path: Path, read: list[Taken]) -> Iterator[Taken]:
    """Sent to a server of one process, until its page says what the reader says."""
    from dashboard.tests.bombs import BOMBS

    [process] = workers_of(port)
    for one in read:
        write(path, BOMBS[one.name]())
        Path(f"/proc/{process}/clear_refs").write_text("5")  # VmHWM begins anew
        held, worked, began = memory_of(process), cpu_of(process), monotonic()
        page = refusal(port, cookie, path)
        waited, worked = monotonic() - began, cpu_of(process) - worked
        most = (memory_of(process, "VmHWM") - held) / 1024
        yield Taken(one.name, one.words if escape(one.words) in page else "", worked, most, waited)


def cpu_of(process: int) -> float:
    """Seconds that all its threads have worked."""
    worked = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(worked[11]) + int(worked[12])) / os.sysconf("SC_CLK_TCK")


def refusal(port: int, cookie: str, path: Path) -> str:
    """What the page says that the upload leads to."""
    head = (
        '--x\r\nContent-Disposition: form-data; name="cluster"\r\n\r\nfox\r\n'
        f'--x\r\nContent-Disposition: form-data; name="files"; filename="{path.name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    tail = b"\r\n--x--\r\n"
    length = len(head) + path.stat().st_size + len(tail)
    headers = BEHIND_PROXY | {"Cookie": f"{cookie}; __Host-csrftoken={TOKEN}", "X-CSRFToken": TOKEN}
    headers |= {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(length)}
    connection = HTTPConnection(HOST, port, timeout=60)
    with path.open("rb") as file, closing(connection):
        body = chain([head], iter(lambda: file.read(65_536), b""), [tail])
        with suppress(ConnectionError):  # who is turned away before all is sent finds the answer waiting
            connection.request("POST", "/imports/", body, headers)
        try:
            answer = connection.getresponse()
        except (OSError, HTTPException) as why:
            print(f"{path.name}: no answer after {file.tell():,} of {length:,} bytes: {why!r}")
            return ""
        told = answer.read()
        if answer.status != 302:
            print(f"{path.name}: {answer.status} after {file.tell():,} of {length:,} bytes: {told[:2000]!r}")
            return ""
    return ask(port, answer.headers["Location"], cookie).body.decode()
