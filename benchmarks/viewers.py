"""What wrk does, where it is not installed: python -m benchmarks.viewers URL VIEWERS SECONDS HEADERS."""

from __future__ import annotations

import http.client
import json
import signal
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit


class Viewers:
    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.place, self.headers = urlsplit(url), headers
        self.took: list[float] = []
        self.errors = 0
        self.over = threading.Event()

    def view(self) -> None:
        connection = http.client.HTTPConnection(self.place.netloc, timeout=60)
        while not self.over.is_set():
            started = time.perf_counter()
            try:
                connection.request("GET", f"{self.place.path}?{self.place.query}", headers=self.headers)
                answer = connection.getresponse()
                answer.read()
                self.errors += answer.status != 200
            except (OSError, http.client.HTTPException):
                self.errors += 1
                connection.close()
            self.took.append(time.perf_counter() - started)

    def run(self, number: int, seconds: float) -> dict[str, Any]:
        signal.signal(signal.SIGINT, lambda *_: self.over.set())
        threads = [threading.Thread(target=self.view) for _ in range(number)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        self.over.wait(seconds)
        self.over.set()
        for thread in threads:
            thread.join()
        took, lasted = sorted(self.took), time.perf_counter() - started
        return {
            "requests": len(took),
            "errors": self.errors,
            "half": took[len(took) // 2],
            "most": took[len(took) * 99 // 100],
            "a_second": len(took) / lasted,
        }


if __name__ == "__main__":
    url, number, seconds, headers = sys.argv[1:]
    print(json.dumps(Viewers(url, json.loads(headers)).run(int(number), float(seconds))))
