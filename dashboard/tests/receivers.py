"""What digests are sent to in tests: a mail server and a webhook here, as willing as they are told."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TAKES, REFUSES_RECIPIENT, REFUSES_DATA, HANGS_UP = "takes", "refuses recipient", "refuses data", "hangs up"


@dataclass
class Receiver:
    """port: on loopback. got: what was taken, as it came."""

    port: int = 0
    how: Any = TAKES
    got: list[Any] = field(default_factory=list)


@contextmanager
def serving(server: socketserver.TCPServer, receiver: Receiver) -> Iterator[Receiver]:
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class MailServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


@contextmanager
def mail_server(how: str = TAKES) -> Iterator[Receiver]:
    receiver = Receiver(how=how)

    class Conversation(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 here")
            while line := self.rfile.readline():
                word = line[:4].upper().strip()
                if word == b"QUIT":
                    self.say("221 bye")
                    return
                if word == b"DATA":
                    if not self.take():
                        return
                elif word == b"RCPT" and receiver.how == REFUSES_RECIPIENT:
                    self.say("550 nobody of that name")
                else:
                    self.say("250 fine")

        def take(self) -> bool:
            self.say("354 go on")
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line)
            if receiver.how == HANGS_UP:
                return False
            if receiver.how == REFUSES_DATA:
                self.say("554 not this")
                return True
            receiver.got.append(message_from_bytes(b"".join(lines), policy=policy.default))
            self.say("250 taken")
            return True

        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    with serving(MailServer(("127.0.0.1", 0), Conversation), receiver):
        yield receiver


@contextmanager
def webhook(status: int = 200) -> Iterator[Receiver]:
    """Answers with that status; 0 hangs up."""
    receiver = Receiver(how=status)

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
            if receiver.how:
                self.send_response(receiver.how)
                self.send_header("Location", f"http://127.0.0.1:{receiver.port}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Says nothing."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Hook), receiver):
        yield receiver
