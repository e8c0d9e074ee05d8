"""Files of 88 MB made to take time and memory; each is refused, measured in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from . import Outcome

os.environ.setdefault("BOMB_MB", "88")


def drill() -> Outcome:
    from dashboard.tests.bombs import BOMBS, taken

    took = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bomb"
        for parts in BOMBS.values():
            with path.open("wb") as file:
                file.writelines(parts())
            took += taken([path])
    seconds, most = max(one["seconds"] for one in took), max(one["mb"] for one in took)
    refused = sum(bool(one["words"]) for one in took)
    figure = (
        f"{refused} of {len(took)} refused in words, at most {seconds:.1f} s of CPU and {most:.0f} MB each"
    )
    return Outcome(refused == len(took) and seconds < 2 and most < 100, figure)
