"""Ctrl-C and SIGTERM as a question that the training loop asks between two steps."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType


@contextmanager
def stop_on_signals() -> Iterator[Callable[[], bool]]:
    """Within the block, a first SIGINT or SIGTERM makes the yielded function return True.

    A second SIGINT raises KeyboardInterrupt as usual. Main thread only; the handlers found are
    put back at the end.
    """
    asked = Event()

    def ask(number: int, frame: FrameType | None) -> None:
        if asked.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.set()

    found = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in found.items():
            signal.signal(number, handler)
