"""Figures about the service for Prometheus; nothing where HELIOX_METRICS_TOKEN is not set."""

from __future__ import annotations


def answered(view: str, method: str, status: int, seconds: float) -> None:
    pass
