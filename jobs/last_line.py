"""The last line of a terminal, on which a command says how far it is."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.live import Live
from rich.text import Text

PLAIN_SECONDS = 10.0
"""Between two lines where there is no terminal."""


class LastLine:
    """A context manager that has the line to itself; without a terminal it has none."""

    def __init__(self, *, wanted: bool = True) -> None:
        """Take standard error's line, if it is a terminal and the line is `wanted`."""
        console = Console(stderr=True)
        taken = wanted and console.is_terminal
        self._live = Live(console=console, refresh_per_second=4, transient=True) if taken else None

    def __enter__(self) -> LastLine:
        """Take the line over."""
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Give it back."""
        if self._live:
            self._live.stop()

    def show(self, line: str) -> bool:
        """Write the line over the one before; False if there is no terminal to write it on."""
        if self._live:
            self._live.update(Text(line))
        return self._live is not None

    def say(self, line: str) -> None:
        """Tell a person, in a line that stays."""
        if self._live:
            self._live.console.print(Text(line))
        else:
            print(line, file=sys.stderr, flush=True)
