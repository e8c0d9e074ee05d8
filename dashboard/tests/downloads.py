"""What a page gives as a file, read again."""

from __future__ import annotations

import csv
import io
from typing import Any


def rows_of(response: Any) -> list[dict[str, str]]:
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))
