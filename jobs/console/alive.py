"""A sign of life while a step takes long."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from gends.jobs.console.duration import duration
from gends.jobs.console.last_line import PLAIN_SECONDS, LastLine

FIRST_SECONDS = 1.0
"""What is over sooner needs no word."""


@contextlib.contextmanager
def alive(what: str | Callable[[], str], first: float = FIRST_SECONDS) -> Iterator[None]:
    """Say on standard error what a command is at, if the block takes longer than `first` seconds.

    Said again every ten seconds, with how long it has taken; a function is asked anew each time.
    """
    over, line, began = threading.Event(), LastLine(), time.monotonic()

    def tell() -> None:
        pause = first
        while not over.wait(pause):
            pause = PLAIN_SECONDS
            text = what if isinstance(what, str) else what()
            seconds = time.monotonic() - began
            line.say(text if seconds < PLAIN_SECONDS else f"{text} ({duration(seconds)} so far)")

    threading.Thread(target=tell, name="alive", daemon=True).start()
    try:
        yield
    finally:
        over.set()
