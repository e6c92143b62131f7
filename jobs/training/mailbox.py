"""What the command and the ranks of a training tell each other while it goes on."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import ray
from ray.exceptions import RayError

POLL = 0.2
"""Seconds between two looks of a training at whether it is to stop."""


class Mailbox:
    """An actor that the command and the first rank leave notes with.

    Notes are plain values: to read a class of ours, the mailbox would import what trains,
    which takes seconds.
    """

    def __init__(self) -> None:
        """No notes yet, and nobody is to stop."""
        self._notes: list[Any] = []
        self._stopping = False

    def tell(self, note: Any) -> None:
        """Leave a note for the command."""
        self._notes.append(note)

    def take(self) -> list[Any]:
        """All notes since the last call, in order."""
        notes, self._notes = self._notes, []
        return notes

    def stop(self) -> None:
        """Ask the ranks to end after the step that they are at."""
        self._stopping = True

    def stopping(self) -> bool:
        """Whether they have been asked to."""
        return self._stopping


def open_mailbox() -> Any:
    """A mailbox on the machine of the command; ends with it."""
    here = ray.get_runtime_context().get_node_id()
    strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(here, soft=False)
    return ray.remote(Mailbox).options(num_cpus=0, scheduling_strategy=strategy).remote()


@contextlib.contextmanager
def watching(mailbox: Any) -> Iterator[Callable[[], bool]]:
    """Yield whether the mailbox has been asked to stop, looked up beside the training.

    A mailbox that has gone is a command that has ended: the training is to stop, too.
    """
    asked, over = threading.Event(), threading.Event()

    def look() -> None:
        while not over.wait(POLL):
            try:
                if ray.get(mailbox.stopping.remote()):
                    asked.set()
                    return
            except RayError:
                asked.set()
                return

    thread = threading.Thread(target=look, name="mailbox", daemon=True)
    thread.start()
    try:
        yield asked.is_set
    finally:
        over.set()
        thread.join()
