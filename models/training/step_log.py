"""A file of lines about steps, cut back to the checkpoint that a run resumes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gends.models.files.erase import erase


class StepLog:
    """JSON lines, each with the number of completed steps that it is about as `step`."""

    def __init__(self, path: Path, step: int) -> None:
        """Keep the lines of `path` up to `step`; later ones belong to steps that run again."""
        self._path = path
        cut_back(path, step)

    def write(self, line: Mapping[str, Any]) -> None:
        """Append one line of JSON values."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dict(line)) + "\n")


def cut_back(path: Path, step: int) -> None:
    """Drop the lines after `step`, and the torn last one of a killed run; the file may not be."""
    if not path.exists():
        return
    partial = path.with_name(f".partial-{path.name}")
    erase(partial)
    with path.open(encoding="utf-8") as lines, partial.open("x", encoding="utf-8") as kept:
        kept.writelines(line for line in lines if _within(line, step))
    partial.replace(path)


def _within(line: str, step: int) -> bool:
    try:
        return line.endswith("\n") and bool(json.loads(line)["step"] <= step)
    except (json.JSONDecodeError, KeyError, TypeError):
        return False
