"""The key of a job: of its cluster and the scheduler's id, whatever mappings and aliases make of them."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha1
from uuid import UUID

from ..models.names import name_key

NAMESPACE = UUID("6f1f9b7e-5d0c-5b62-9a55-0c8f3f2a7d11")
SEPARATOR = "\x1f"  # no name holds a control character
VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}


def job_id(cluster: str, external_id: str) -> UUID:
    """The same for every import of that cluster's log."""
    return UUID(digits_of_id(cluster, external_id))


def digits_of_id(cluster: str, external_id: str) -> str:
    """A UUID of version 5 as uuid.uuid5 makes it, in a third of the time."""
    digest = sha1(beginning(cluster) + external_id.encode(), usedforsecurity=False).hexdigest()
    return f"{digest[:12]}5{digest[13:16]}{VARIANT[digest[16]]}{digest[17:32]}"


@lru_cache(maxsize=20_000)
def beginning(cluster: str) -> bytes:
    return NAMESPACE.bytes + f"{name_key(cluster)}{SEPARATOR}".encode()
