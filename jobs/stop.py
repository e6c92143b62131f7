"""Why a build is to stop before its end."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from typing import Any


class Stop:
    """Set by a signal or another thread, asked by the driver's loop."""

    def __init__(self, grace: float = 120.0) -> None:
        """Nothing to stop for yet; `grace` in seconds."""
        self.grace = grace
        self.lost = False
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
    def on_sigterm(self) -> Iterator[None]:
        """Drain on the first SIGTERM; a second one interrupts like Ctrl-C."""

        def drain(number: int, frame: Any) -> None:
            if self.draining:
                raise KeyboardInterrupt
            self._drained_by = time.monotonic() + self.grace

        before = signal.signal(signal.SIGTERM, drain)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)
