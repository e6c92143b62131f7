"""Builds that are to be killed, and what is left of them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from growing import files_in
from witness import published

from gends.pipeline.keeping.dataset import Dataset, open_dataset
from gends.pipeline.reading.reader import read_manifest

PROGRAM = Path(sys.executable).with_name("gends-build")
SETTINGS: dict[str, Any] = {
    "clean_dataset": "photos",
    "engine": "dry",
    "resolution": 64,
    "unit_images": 1,
    "shard_size": 384,
    "replicas": 16,
    "redraws": 1,
    "seed": 5,
}


def start_build(
    clean: Path, root: Path, settings: dict[str, Any], environment: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start `gends-build run`; what it says goes to a file `log` beside the root."""
    flags = settings | {"clean": clean, "out": root}
    options = [f"--{name.replace('_', '-')}={value}" for name, value in flags.items()]
    with open(root.with_name("log"), "a", encoding="utf-8") as log:
        return subprocess.Popen(
            [str(PROGRAM), "run", *options],
            stdout=log,
            stderr=log,
            text=True,
            start_new_session=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | (environment or {}),
        )


def made_in(*folders: Path) -> int:
    """A number that changes whenever files appear, grow or go."""
    found = []
    for path in files_in(*folders):
        with contextlib.suppress(FileNotFoundError):
            found.append((path, path.stat().st_size))
    return hash(tuple(found))


def compare(root: Path, whole: Dataset) -> dict[str, int]:
    """Requests lost and doubled, and files that are not those of an undisturbed build."""
    rows = read_manifest(root, status=None, columns=["key", "status"])
    keys = Counter(rows["key"].to_pylist())
    wanted = set(read_manifest(whole.store.url, status=None, columns=["key"])["key"].to_pylist())
    ours, theirs = published(open_dataset(root).store), published(whole.store)
    return {
        "requests": len(wanted),
        "lost": len(wanted - keys.keys()),
        "doubled": keys.total() - len(keys),
        "failed": rows["status"].to_pylist().count("failed"),
        "files": len(theirs),
        "files_different": sum(ours.get(name) != theirs.get(name) for name in ours | theirs),
    }


def report(pytestconfig: pytest.Config, system: str, facts: dict[str, Any]) -> None:
    """Print what happened, and add it to the file that was asked for."""
    width = max(map(len, facts))
    print(f"\n{system}", *(f"  {n:{width}}  {value}" for n, value in facts.items()), sep="\n")
    if path := pytestconfig.getoption("soak_report"):
        known = json.loads(Path(path).read_text(encoding="utf-8")) if Path(path).exists() else {}
        text = json.dumps(known | {system: facts}, indent=1)
        Path(path).write_text(text + "\n", encoding="utf-8")
