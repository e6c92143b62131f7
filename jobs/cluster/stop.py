"""Why a build is to stop before its end."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from typing import Any

from gends.jobs.cluster import sigterm


class Stop:
    """Set by a signal or another thread, asked by the driver's loop."""

    def __init__(self, grace: float = 120.0) -> None:
        """Nothing to stop for yet; `grace` in seconds."""
        self.grace = grace
        self.lost = False
        self.interrupted = False
        self._drained_by: float | None = None

    @property
    def draining(self) -> bool:
        """Whether no new unit is to be begun."""
        return self._drained_by is not None

    @property
    def overdue(self) -> bool:
        """Whether units in flight have had their grace."""
        return self._drained_by is not None and time.monotonic() > self._drained_by

    def lose(self) -> None:
        """The lease was lost."""
        self.lost = True

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Drain on the first SIGTERM; interrupt on the second, and on Ctrl-C.

        SIGTERM arrives as `sigterm.interrupt_on_sigterm` makes it.

        An exception raised by a signal's handler is lost inside a callback of
        Ray's, so handlers only take note, and the driver's loop asks.
        """

        def note(number: int, frame: Any) -> None:
            if sigterm.take() and not self.draining:
                self._drained_by = time.monotonic() + self.grace
            elif self.interrupted:
                raise KeyboardInterrupt
            else:
                self.interrupted = True

        before = signal.signal(signal.SIGINT, note)
        try:
            if sigterm.noted():
                note(signal.SIGTERM, None)  # it came earlier, and what it raised was lost
            yield
        finally:
            signal.signal(signal.SIGINT, before)
