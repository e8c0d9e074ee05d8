"""One cell's cents to those who used it, by the law of conservation; numbers in, numbers out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from ..money import share_out

Owner = TypeVar("Owner")
IDLE_VIEWS = {"apart": "apart", "by_use": "spread by use", "evenly": "spread evenly"}


@dataclass(frozen=True, slots=True)
class Pool:
    """What is left of a cell to be shared: its cents, and GPU microseconds metered (None: no row) and used.

    covered: whether a job log speaks of the day, so that hours which nobody used are known to be idle.
    turn: who comes first where remainders are equal; another owner every day.
    """

    cents: int
    metered: int | None
    used: Mapping[Owner, int] = field(default_factory=dict)  # type: ignore[valid-type]
    covered: bool = False
    turn: int = 0
    used_in_all: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "used_in_all", sum(self.used.values()))

    @property
    def idle(self) -> int:
        return max((self.metered or 0) - self.used_in_all, 0)

    @property
    def base(self) -> int:
        """The larger of metered and used time, which the cents are divided by."""
        return max(self.metered or 0, self.used_in_all)


@dataclass(frozen=True, slots=True)
class Shares:
    """Cents that add up to the pool's."""

    owners: dict
    idle: int = 0
    unallocated: int = 0


def share(pool: Pool) -> Shares:
    """Each owner by its part of the base; the rest is idle, or unallocated where nobody can tell."""
    idle = pool.idle
    if not pool.used_in_all:
        return Shares({}, pool.cents, 0) if pool.covered and idle > 0 else Shares({}, 0, pool.cents)
    owners = in_order(pool.used, pool.turn)
    *parts, idle = share_out(pool.cents, [*(pool.used[owner] for owner in owners), idle])
    return Shares(dict(zip(owners, parts, strict=True)), idle)


def spread(cents: int, used: Mapping[Owner, int], view: str, turn: int = 0) -> dict[Owner, int]:
    """Cents upon those who used something, by their use or evenly; nothing where nobody did."""
    users = [owner for owner in used if used[owner] > 0]
    if len(users) < 2:  # as in most cells, where a team runs one model at a time
        return dict.fromkeys(users, cents)
    owners = in_order(users, turn)
    weights = [1] * len(owners) if view == "evenly" else [used[owner] for owner in owners]
    return dict(zip(owners, share_out(cents, weights), strict=True))


def in_order(owners: Iterable[Owner], turn: int = 0) -> list[Owner]:
    """The same order whatever was read first: of equal remainders the first gets the cent, in turns."""
    ordered = sorted(owners, key=number_of)
    first = turn % len(ordered) if ordered else 0
    return ordered[first:] + ordered[:first]


def number_of(owner: Any) -> Any:
    """A team's id as the number it is: comparing UUIDs is slow, and days have many teams."""
    return owner.int if isinstance(owner, UUID) else owner
