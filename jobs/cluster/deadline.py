"""An end to what may last for ever and cannot be interrupted."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

import click


@contextlib.contextmanager
def limited(seconds: float, what: str) -> Iterator[None]:
    """End this process with exit code 1, saying `what`, if the block takes too long.

    For native code, in which neither a signal nor an exception reaches Python.
    """

    def end() -> None:
        click.echo(f"gends-build: {what} (waited {seconds:g} s)", err=True)
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
