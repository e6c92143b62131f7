"""What a build does while memory is short: it waits, and goes on with less at a time."""

from __future__ import annotations

import time
from collections.abc import Callable

from gends.jobs.errors import BuildError
from gends.pipeline.types import WorkUnit

PAUSES = (2.0, 60.0)
"""Seconds of the first pause and of the longest; each in a row is twice the one before."""
PATIENCE = 900.0
"""Seconds without a single unit made, after which a build stops."""


class Shortage:
    """Pauses and a bound on the units in flight, for as long as memory is short."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """There is memory enough so far."""
        self._clock = clock
        self._since: float | None = None
        self._until = 0.0
        self._pause = PAUSES[0]
        self.limit: int | None = None
        """Units that may be in flight; None for as many as there is work for."""

    @property
    def paused(self) -> bool:
        """Whether no unit is to be sent now."""
        return self._clock() < self._until

    def begin(self, unit: WorkUnit, in_flight: int) -> str | None:
        """Memory fell short for a unit, one of so many in flight; what to say of it.

        None where that is said already, as one shortage breaks several units.

        Raises:
            BuildError: no unit was made for so long that waiting helps no more.
        """
        if self.paused:
            return None
        now = self._clock()
        self._since = now if self._since is None else self._since
        if now - self._since > PATIENCE:
            raise BuildError(
                f"memory was short for {PATIENCE / 60:g} minutes, and no unit was made between "
                f"(the last is that of {unit.views[0].clean.uri}): another program takes it, or a "
                "worker needs more than there is; free some, or lower --workers; the same command "
                "resumes"
            )
        self.limit = max(1, in_flight // 2)
        seconds, self._pause = self._pause, min(2 * self._pause, PAUSES[1])
        self._until = now + seconds
        return (
            f"memory is short, which is no fault of a photograph: waiting {seconds:g} s, then "
            f"going on with {self.limit} unit{'s' * (self.limit != 1)} at a time"
        )

    def ease(self, most: int) -> None:
        """A unit was made: one more may be in flight, up to `most`, where the bound ends."""
        self._since, self._pause = None, PAUSES[0]
        if self.limit is not None:
            self.limit = self.limit + 1 if self.limit + 1 < most else None
