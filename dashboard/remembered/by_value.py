"""Frozen values whose answers a process remembers: equal content, equal answer, however often pages ask."""

from __future__ import annotations

from functools import cached_property
from typing import Any


class ByValue:
    """Compared and hashed by its content, which is gathered once. Dataclasses of it say `eq=False`."""

    @property
    def content(self) -> tuple[Any, ...]:
        raise NotImplementedError

    @cached_property
    def key(self) -> tuple[Any, ...]:
        return self.content

    @cached_property
    def hashed(self) -> int:
        return hash(self.key)

    def __hash__(self) -> int:
        return self.hashed

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ByValue) or type(other) is not type(self):
            return False
        return self is other or self.key == other.key
