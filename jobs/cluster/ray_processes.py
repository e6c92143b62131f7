"""Ray's processes on this machine: where they work, and which signals reach them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from ray._private import services

FOLDER = "/"
"""Where Ray's processes work. Python may import what lies in a process's current folder, and only
the machine's owner can put a file there."""
END_SECONDS = 5.0
"""For killed processes to be gone; the kernel needs as long to free a big one's memory."""


class _Process(services.ConsolePopen):
    """A process in a session of its own that no SIGTERM and no Ctrl-C ends."""

    sessions: ClassVar[list[int]] = []
    """Of all such processes; what a process starts belongs to its session."""

    def __init__(
        self, command: list[str], *, preexec_fn: Callable[[], None], **options: Any
    ) -> None:
        def prepare() -> None:
            preexec_fn()
            # A scheduler may send SIGTERM to each process that it finds.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})

        options |= {"cwd": FOLDER, "start_new_session": True}
        super().__init__(command, preexec_fn=prepare, **options)
        self.sessions.append(self.pid)

    def terminate(self) -> None:
        """Kill it: it does not take SIGTERM, and nothing outlives it that it could save."""
        self.kill()


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """Within the block, Ray starts its processes out of reach of signals to the driver.

    They are out of reach of the driver's process group, as a terminal, Slurm and `timeout` signal
    it, and ignore SIGTERM that is sent to each. `end` ends them.
    """
    before = services.ConsolePopen
    names = vars(services)  # Ray has no setting for any of this
    names["ConsolePopen"] = _Process
    try:
        yield
    finally:
        names["ConsolePopen"] = before


def end() -> None:
    """Kill what is left of the processes that were started `apart`, and of those they started."""
    deadline = time.monotonic() + END_SECONDS
    while (left := _members(_Process.sessions)) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    _Process.sessions.clear()


def _members(sessions: list[int]) -> list[int]:
    """Processes of these sessions that have not ended."""
    found = []
    for folder in Path("/proc").glob("[0-9]*") if sessions else ():
        with contextlib.suppress(OSError):
            state, _, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(session) in sessions and state != "Z":
                found.append(int(folder.name))
    return found
