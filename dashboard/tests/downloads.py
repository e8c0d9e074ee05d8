"""What a page gives, read again: its files, the numbers of its charts."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any


def rows_of(response: Any) -> list[dict[str, str]]:
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def chart(response: Any, name: str) -> dict[str, Any]:
    found = re.search(
        rf'<script id="{name}-data" type="application/json">(.*?)</script>', response.content.decode()
    )
    assert found
    return json.loads(found.group(1))
