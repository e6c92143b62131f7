"""Says how far a command is through a known number of things."""

from __future__ import annotations

import threading
import time

from gends.jobs.console.alive import FIRST_SECONDS
from gends.jobs.console.duration import duration
from gends.jobs.console.last_line import LastLine


class Count:
    """A context manager: a live line on a terminal, a line every ten seconds elsewhere.

    Also while nothing is done: the first may take long.
    """

    def __init__(self, what: str, total: int = 0) -> None:
        """Of `total` things, called `what` in the plural."""
        self._what = what
        self._total = total
        self._done = 0
        self._line = LastLine(wait=FIRST_SECONDS)
        self._over = threading.Event()
        self._began = time.monotonic()

    def __enter__(self) -> Count:
        """Take over the last line of a terminal."""
        self._line.__enter__()
        threading.Thread(target=self._tick, name="count", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        """Give it back."""
        self._over.set()
        self._line.__exit__(*error)

    def say(self, line: str) -> None:
        """Tell a person, in a line that stays."""
        self._line.say(line)

    def step(self) -> None:
        """One more is done."""
        self.reach(self._done + 1, self._total)

    def reach(self, done: int, total: int) -> None:
        """So many of so many are done."""
        self._done, self._total = done, total
        self._line.show(self._text())

    def _tick(self) -> None:
        while not self._over.wait(FIRST_SECONDS):
            self._line.show(self._text())

    def _text(self) -> str:
        done, total = self._done, self._total
        rate = done / max(time.monotonic() - self._began, 1e-9)
        left = duration((total - done) / rate) if done else "?"
        return f"{done}/{total or '?'} {self._what}  {rate:.2f} a second  ETA {left}"
