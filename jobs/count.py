"""Says how far a command is through a known number of things."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.live import Live
from rich.text import Text

from gends.jobs.progress import PLAIN_SECONDS, duration


class Count:
    """A context manager: a live line on a terminal, a line every ten seconds elsewhere."""

    def __init__(self, total: int, what: str) -> None:
        """Of `total` things, called `what` in the plural."""
        self._total = total
        self._what = what
        self._done = 0
        self._console = Console(stderr=True)
        self._live = (
            Live(console=self._console, refresh_per_second=4, transient=True)
            if self._console.is_terminal
            else None
        )
        self._began = time.monotonic()
        self._next = self._began + PLAIN_SECONDS

    def __enter__(self) -> Count:
        """Begin to count and to measure time."""
        self._began = time.monotonic()
        self._next = self._began + PLAIN_SECONDS
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Give a terminal its last line back."""
        if self._live:
            self._live.stop()

    def say(self, line: str) -> None:
        """Tell a person, in a line that stays."""
        if self._live:
            self._console.print(Text(line))
        else:
            print(line, file=sys.stderr, flush=True)

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        now = time.monotonic()
        if self._live:
            self._live.update(Text(self._line(now)))
        elif now >= self._next:
            self._next = now + PLAIN_SECONDS
            print(self._line(now), file=sys.stderr, flush=True)

    def _line(self, now: float) -> str:
        rate = self._done / max(now - self._began, 1e-9)
        left = duration((self._total - self._done) / rate)
        return f"{self._done}/{self._total} {self._what}  {rate:.2f} a second  ETA {left}"
