"""The lists that Diff-Plugin (arXiv 2403.00644) trains one plugin each from."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gends.pipeline.export.pair import Pair
from gends.pipeline.reading.reader import PAIR

HEADER = ("image", "conditioning_image")
"""Clean, degraded. Its code takes the columns by position too, so their order counts; the example
in the prose of its README has them the other way round."""


def write_diffplugin(pairs: Iterable[Pair], folder: Path, out: Path) -> list[str]:
    """Write DEGRADATION.csv and DEGRADATION/{GT,input}/KEY.png; the files are the shards' bytes.

    Paths are relative to the folder, which is the `data_root` of its training script.
    """
    with contextlib.ExitStack() as files:
        lists: dict[str, Any] = {}
        for pair in pairs:
            task = pair.degradation
            if task not in lists:
                name = folder / f"{task}.csv"
                file = files.enter_context(open(name, "w", encoding="utf-8", newline=""))
                lists[task] = csv.writer(file, lineterminator="\n")
                lists[task].writerow(HEADER)
            paths = []
            for part, shown in zip(PAIR, ("GT", "input"), strict=True):
                path = f"{task}/{shown}/{pair.key}.{pair.suffix}"
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(getattr(pair, part))
                paths.append(path)
            lists[task].writerow(paths)
    return [f"training: --data_root {out}, one list per task: {', '.join(sorted(lists))}"]
