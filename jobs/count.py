"""Says how far a command is through a known number of things."""

from __future__ import annotations

import time

from gends.jobs.last_line import PLAIN_SECONDS, LastLine
from gends.jobs.progress import duration


class Count:
    """A context manager: a live line on a terminal, a line every ten seconds elsewhere."""

    def __init__(self, total: int, what: str) -> None:
        """Of `total` things, called `what` in the plural."""
        self._total = total
        self._what = what
        self._done = 0
        self._line = LastLine()
        self._began = self._next = 0.0

    def __enter__(self) -> Count:
        """Begin to count and to measure time."""
        self._began = time.monotonic()
        self._next = self._began + PLAIN_SECONDS
        self._line.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """Give a terminal its last line back."""
        self._line.__exit__(*error)

    def say(self, line: str) -> None:
        """Tell a person, in a line that stays."""
        self._line.say(line)

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        now = time.monotonic()
        if not self._line.show(self._words(now)) and now >= self._next:
            self._next = now + PLAIN_SECONDS
            self._line.say(self._words(now))

    def _words(self, now: float) -> str:
        rate = self._done / max(now - self._began, 1e-9)
        left = duration((self._total - self._done) / rate)
        return f"{self._done}/{self._total} {self._what}  {rate:.2f} a second  ETA {left}"
