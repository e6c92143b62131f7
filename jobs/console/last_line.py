"""The last line of a terminal, on which a command says how far it is."""

from __future__ import annotations

import sys
import time
from typing import TextIO

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

PLAIN_SECONDS = 10.0
"""Between two lines where there is no terminal."""


class LastLine:
    """A context manager that has the line to itself; without a terminal, a line now and then."""

    def __init__(self, plain: TextIO | None = None, *, wait: float = PLAIN_SECONDS) -> None:
        """Take standard error's line, or write to `plain`, whether it is a terminal or not.

        Where there is no terminal, nothing is shown in the first `wait` seconds.
        """
        console = Console(stderr=True)
        taken = plain is None and console.is_terminal
        self._live = Live(console=console, refresh_per_second=4, transient=True) if taken else None
        self._plain = plain
        self._next = time.monotonic() + wait

    def __enter__(self) -> LastLine:
        """Take the line over."""
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Give it back."""
        if self._live:
            self._live.stop()

    def show(self, line: str, *, final: bool = False) -> None:
        """Write the line over the one before; elsewhere every ten seconds, and the `final` one."""
        now = time.monotonic()
        if self._live:
            self._live.update(Text(line))
        elif final or now >= self._next:
            self._next = now + PLAIN_SECONDS
            self.say(line)

    def say(self, line: str) -> None:
        """Tell a person, in a line that stays."""
        if self._live:
            self._live.console.print(Text(line))
        else:
            click.echo(line, file=self._plain or sys.stderr)
