"""What a cluster loses for reasons of its own: processes, for want of memory, and machines."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import ray
from ray._private.state import state
from ray.core.generated import common_pb2, gcs_pb2

RECENT_SECONDS = 30.0
"""For which a loss explains that processes die: one takes several units along."""
NEWS_SECONDS = 1.0
"""Within which the cluster's head knows why a process died."""


class Losses:
    """Tells whether a process that died fell to a loss, and not to what it worked on."""

    def __init__(self) -> None:
        """What was lost before explains nothing."""
        self._counts = (_memory_kills(), _dead_machines())
        self._memory_at = self._machine_at = -RECENT_SECONDS

    def of_memory(self) -> bool:
        """Whether memory fell short just now: Ray's monitor ended a process, or the kernel did.

        Of Ray's monitors all are asked, of kernels that of this machine.
        """
        self._look()
        return time.monotonic() - self._memory_at < RECENT_SECONDS

    def of_machine(self) -> bool:
        """Whether a machine left the cluster just now."""
        self._look()
        return time.monotonic() - self._machine_at < RECENT_SECONDS

    def any(self) -> bool:
        """Whether there was either; waits a moment for the news."""
        end = time.monotonic() + NEWS_SECONDS
        while not (found := self.of_memory() or self.of_machine()) and time.monotonic() < end:
            time.sleep(NEWS_SECONDS / 5)
        return found

    def _look(self) -> None:
        before, self._counts = self._counts, (_memory_kills(), _dead_machines())
        if self._counts[0] > before[0]:
            self._memory_at = time.monotonic()
        if self._counts[1] > before[1]:
            self._machine_at = time.monotonic()


def _memory_kills() -> int:
    """Processes of the cluster that Ray's monitors ended, and of this machine that its kernel did.

    Ray says of a task that it fell to its monitor, but not of an actor that starts again: only the
    table of all processes does, which has no public interface.
    """
    table = state._connect_and_get_accessor().get_worker_table()
    messages: Any = gcs_pb2  # protobuf makes their classes when it is imported
    kinds: Any = common_pb2
    ended: list[int] = [messages.WorkerTableData.FromString(row).exit_type for row in table]
    return _kernel_kills() + ended.count(kinds.NODE_OUT_OF_MEMORY)


def _kernel_kills() -> int:
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return 0


def _dead_machines() -> int:
    return sum(not node["Alive"] for node in ray.nodes())
