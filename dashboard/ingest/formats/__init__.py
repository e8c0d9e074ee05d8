"""The formats that Heliox reads, each one module with LABEL, NAME, recognises(header) and read(table, options)."""

from __future__ import annotations
