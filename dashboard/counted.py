"""Numbers of things in words."""

from __future__ import annotations


def counted(number: int, thing: str, things: str = "") -> str:
    """`1 job`, `2,000 jobs`, `3 entries`. things: where there is more to it than an s."""
    return f"{number:,} {thing if number == 1 else things or f'{thing}s'}"


def are(number: int) -> str:
    return "is" if number == 1 else "are"


def have(number: int) -> str:
    return "has" if number == 1 else "have"


def was(number: int) -> str:
    return "was" if number == 1 else "were"
