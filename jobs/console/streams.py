"""Standard output and standard error that end no command: not by what they hold, not by a loss.

A full disk, a reader that went away, a terminal that hung up, a descriptor that was closed before
the start: what is printed then is lost, which the other stream says once, and the command goes on.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import select
import sys
from typing import TextIO, cast

from gends.pipeline.names import printable

NAMES = {1: "standard output", 2: "standard error"}
PLAIN = {
    "×": "x",
    "μ": "mu",
    "µ": "mu",
    "σ": "sigma",
    "→": "->",
    "↑": "(higher is better)",
    "↓": "(lower is better)",
    "…": "...",
    "–": "-",
    "━": "-",
    "╸": "-",
    "╺": "-",
}
"""How to print characters of our own, and of rich's, in an encoding that lacks them."""
ERRORS = "gends.plain"
"""Name of the error handler: a plain form of a character, or else its number, as in `\\xe9`."""


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    return "".join(PLAIN.get(char) or _numbered(char) for char in found), error.end


def _numbered(char: str) -> str:
    escaped = printable(char)  # bytes of a file name that are no text, as they are
    return escaped if escaped.isascii() else char.encode("ascii", "backslashreplace").decode()


codecs.register_error(ERRORS, _plain)


class StandardStream(io.TextIOBase):
    """Writes text to a descriptor at once, and raises nothing where it cannot be written.

    It has no `buffer`: there is no way past it to the bytes. Every write is tried, since a full
    disk may get room again; what then follows half a line begins a new one.
    """

    def __init__(self, descriptor: int, encoding: str, *, closed: bool = False) -> None:
        """Write to `descriptor` in `encoding`; `closed` if it led nowhere before the start."""
        self._descriptor = descriptor
        self._encoding = encoding
        self._closed = closed
        self._mid_line = self._torn = False
        self.other: StandardStream | None = None
        """Where a loss is told; None tells nobody."""
        self.is_result = False
        """Whether what is printed is all that the command is called for."""
        self.result_is_lost = False

    @property
    def encoding(self) -> str:  # type: ignore[override]  # of typeshed, a plain attribute
        """Of the terminal, or of the environment."""
        return self._encoding

    @property
    def errors(self) -> str:  # type: ignore[override]
        """Name of the error handler."""
        return ERRORS

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether there is a terminal, still."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, text: str) -> int:
        """Write all of `text`, or lose what cannot be written; returns its length."""
        data = text.encode(self._encoding, ERRORS)
        try:
            self._send(b"\n" + data if self._torn else data)
        except OSError as error:
            self._torn = self._mid_line
            self._lose(error)
        return len(text)

    def _send(self, data: bytes) -> None:
        if self._closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        while data:
            try:
                written = os.write(self._descriptor, data)
            except BlockingIOError:  # whoever shares the descriptor may have asked for that
                select.select([], [self._descriptor], [])
                continue
            self._mid_line = not data[:written].endswith(b"\n")
            data, self._torn = data[written:], False

    def _lose(self, error: OSError) -> None:
        gone = error.errno == errno.EPIPE
        if self.is_result:
            if gone:  # the reader has all that it wanted
                return
            self.result_is_lost = True
        other, self.other = self.other, None
        if other is not None:
            why = "its reader is gone" if gone else error.strerror or str(error)
            what = NAMES.get(self._descriptor, "output")
            other.write(f"gends-build: {what} cannot be written ({why}); going on without it\n")


def take_over(*, json: bool) -> None:
    """Make this process's `sys.stdout` and `sys.stderr` streams that end no command.

    Args:
        json: standard output is read by a program, so nothing is told there.
    """
    if sys.__stdin__ is None:
        _occupy(0)
    out, err = (_open(number) for number in (1, 2))
    out.other = err
    err.other = None if json else out
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, err)


def print_result() -> None:
    """Say that what the command prints is all it is for: without it, the command failed.

    Except for a reader that has had enough, such as `head`.
    """
    if isinstance(sys.stdout, StandardStream):
        sys.stdout.is_result = True


def result_is_lost() -> bool:
    """Whether a command that called `print_result` could not print all of it."""
    return isinstance(sys.stdout, StandardStream) and sys.stdout.result_is_lost


def _open(number: int) -> StandardStream:
    found = (sys.__stdout__, sys.__stderr__)[number - 1]
    if found is not None:
        return StandardStream(number, found.encoding)
    _occupy(number)
    return StandardStream(number, "utf-8", closed=True)


def _occupy(number: int) -> None:
    """Keep a closed descriptor from becoming that of a file, into which others would then print."""
    with contextlib.suppress(OSError):
        os.fstat(number)
        return
    nothing = os.open(os.devnull, os.O_RDWR)
    if nothing != number:
        os.dup2(nothing, number)
        os.close(nothing)
