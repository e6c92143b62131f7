"""Keeps two trainings out of one folder."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

from gends.jobs.errors import BuildError

PATIENCE = 30.0
"""Seconds: what a killed command leaves behind ends within a few."""
LOCK = ".lock"


@contextlib.contextmanager
def held(folder: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the folder of a run; the process's end lets go of it, too.

    Raises:
        BuildError: another process still holds it after `patience` seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as file:
        _lock(file.fileno(), folder, time.monotonic() + patience)
        yield


def _lock(descriptor: int, folder: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise BuildError(
                    f"{folder} is held by another training: wait for its end, or name another --run"
                ) from None
            time.sleep(0.2)
