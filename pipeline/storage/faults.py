"""Places where tests kill or hold a build: the numbered steps of the commit protocol, and poison.

Nothing happens unless GENDS_FAULT is set, and only tests set it. Its value is a list, separated by
semicolons, of `POINT:COUNT:ACTION:FOLDER`: the COUNT-th pass of POINT, counted over all processes
of the build, or `every` one, does ACTION; a COUNT of 0 only counts. `kill` and `segv` are that
signal to itself, `memory` is a MemoryError, a name such as `ENOSPC` that error of the system.
`hold` is to wait there until somebody kills it or until FOLDER/go exists: an empty file lets all
passes go on, a number in it those up to that one. FOLDER receives one file per pass, and `reached`
when the first is held.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path

VARIABLE = "GENDS_FAULT"
_passed: dict[Path, int] = {}
"""Passes that this process knows of, so that it need not count from one each time."""
SIGNALS = {"kill": signal.SIGKILL, "segv": signal.SIGSEGV}


def fault_point(name: str) -> None:
    """Pass a named step."""
    setting = os.environ.get(VARIABLE)
    if setting is None:
        return
    for fault in setting.split(";"):
        point, count, action, folder = fault.rsplit(":", 3)
        if point == name:
            _pass(count, action, Path(folder))


def _pass(count: str, action: str, folder: Path) -> None:
    number = _passed.get(folder, 0) + 1
    while not _claim(folder / f"pass-{number}"):
        number += 1
    _passed[folder] = number
    if count not in ("every", str(number)):
        return
    if action in SIGNALS:
        os.kill(os.getpid(), SIGNALS[action])
    if action == "memory":
        raise MemoryError
    if (number_of_error := getattr(errno, action, None)) is not None:
        raise OSError(number_of_error, os.strerror(number_of_error), str(folder))
    while not _may_go(number, folder / "go"):
        _claim(folder / "reached")
        time.sleep(0.01)


def _may_go(number: int, go: Path) -> bool:
    try:
        last = go.read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return not last or number <= int(last)


def _claim(path: Path) -> bool:
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
