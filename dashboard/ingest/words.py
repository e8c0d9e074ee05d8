"""The summary of an import in plain words, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from ..counted import are, counted
from .summary import FATES, KEPT, MEASURES, Summary

KINDS = {"provider": "provider", "gpu_type": "GPU type"}


def in_words(summary: Summary) -> Iterator[str]:
    """Lines without line breaks."""
    yield headline(summary)
    if summary.read:
        counts = ", ".join(f"{getattr(summary, fate):,} {fate}" for fate in FATES)
        yield f"{counted(summary.read, 'row')} read: {counts}."
    for reason, rows in summary.ignored_kinds.items():
        yield f"  ignored, {reason}: {rows:,}"
    for table, changes in summary.tables.items():
        yield f"  {table}: " + ", ".join(f"{n:,} {what}" for what, n in changes.items() if n)
    for measure, months in summary.months.items():
        for month, figures in months.items():
            yield f"  {MEASURES[measure]}, {month}: {figures['before']} → {figures['after']}"
    yield from examples(summary)
    yield from names(summary)
    yield from (f"Note: {note}" for note in summary.notes)
    yield from (f"WARNING: {warning}" for warning in summary.warnings)
    yield from refusals(summary)


def briefly(summary: Summary) -> str:
    """The counts of an import on one line, or the first of what was refused."""
    if not summary.ok:
        return f"{counted(summary.refused, 'row')} refused. {summary.refusals[0]['text']}"
    return ", ".join(f"{getattr(summary, fate):,} {fate}" for fate in FATES if getattr(summary, fate))


def headline(summary: Summary) -> str:
    what = ", ".join(summary.files) + (f" ({summary.label})" if summary.label else "")
    if not summary.ok:
        return f"Refused: {what}. Nothing was written."
    changes = counted(summary.changes, "change")
    if summary.dry_run:
        return f"Dry run: {what}. {changes} would be written, and nothing was."
    if not summary.changes:
        return f"Imported: {what}. Nothing was written: {why_nothing(summary)}."
    return f"Imported: {what}. {changes}; to take back: undo_import {summary.run}."


def why_nothing(summary: Summary) -> str:
    """Why an import that is refused nothing changes nothing: a sentence but for its ends."""
    files, kept = "file" if len(summary.files) == 1 else "files", summary.ignored_kinds.get(KEPT, 0)
    if not summary.read:
        return "there are no rows to import"
    if kept:
        rows = counted(kept, "row")
        return f"{rows} of the {files} {are(kept)} not stored, since what was there is kept"
    if not summary.unchanged:
        return f"every row of the {files} is ignored"
    return f"everything in the {files} is stored already"


def examples(summary: Summary) -> Iterator[str]:
    for example in summary.examples:
        changes = "; ".join(f"{name} {old} → {new}" for name, (old, new) in example["changes"].items())
        where = f"line {example['line']}, " if example["line"] else ""
        yield f"  {where}{example['row']}: {changes}"


def names(summary: Summary) -> Iterator[str]:
    for unknown in summary.unknown_names:
        yield f"New {KINDS[unknown['kind']]}: {unknown['name']}"
    for triple in summary.unmatched.get("clusters", []):
        parts = " / ".join(triple[part] or "any" for part in ("cluster", "partition", "raw_gpu_type"))
        yield f"No mapping yet for {parts}: {counted(triple['jobs'], 'job')}"
    for pair in summary.unmatched.get("accounts", []):
        yield f"No team yet for {pair['cluster']} / {pair['account']}: {counted(pair['jobs'], 'job')}"


def refusals(summary: Summary) -> Iterator[str]:
    several = len(summary.files) > 1
    for refusal in summary.refusals:
        yield f"{refusal['file']}: {refusal['text']}" if several and refusal["file"] else refusal["text"]
    more = summary.refused - len(summary.refusals)
    if more > 0:
        yield f"… and {more:,} more refused rows."
    if summary.conflicts:
        yield "Say --on-conflict keep, replace or add."
