"""The lines of a list or table that somebody else wrote, in bounded memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from gends.pipeline.sources.source_options import SourceOptions
from gends.pipeline.types import SourceRow

MOST_LINE = 1 << 16
"""Characters of a line in a list; no path is as long."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class LineError(ValueError):
    """A line that cannot be used. The next ones can."""


class Lines(Iterator[str]):
    """Iterates over lines, with their ends. A line that is too long raises, and is skipped.

    Bytes that are not UTF-8 become half characters, as in names of files.
    """

    def __init__(self, path: Path, most: int) -> None:
        """Open a file whose lines have at most that many characters.

        Raises:
            ValueError: it is UTF-16.
            OSError: it cannot be read.
        """
        with open(path, "rb") as file:
            if file.read(2) in _UTF16:
                raise ValueError("it is UTF-16; save it as UTF-8")
        self._file = open(  # noqa: SIM115  `opened` closes it
            path, encoding="utf-8-sig", errors="surrogateescape", newline=""
        )
        self._most = most
        self.number = 0
        """Of the line that was read last, from 1."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __next__(self) -> str:
        """Read a line.

        Raises:
            LineError: it is too long.
        """
        line = self._file.readline(self._most)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) < self._most or line.endswith(("\n", "\r")):
            return line
        while (rest := self._file.readline(self._most)) and not rest.endswith(("\n", "\r")):
            pass
        raise LineError(f"line {self.number} has over {self._most} characters")


def opened(path: Path, most: int) -> contextlib.closing[Lines]:
    """The lines of a file; see `Lines`."""
    return contextlib.closing(Lines(path, most))


def read_list(path: Path, options: SourceOptions) -> Iterator[SourceRow]:
    """One path per line. A line that starts with `#` is a comment; `./#a.jpg` is none."""
    with opened(path, MOST_LINE) as lines:
        while True:
            try:
                line = next(lines, None)
            except LineError as error:
                yield unusable(path, f"line {lines.number}", f"{error}; give one path per line")
                continue
            if line is None:
                return
            if line.startswith("#"):
                options.passed_over.add("comment lines", f"line {lines.number}")
            elif line.strip():
                yield SourceRow(uri=line.rstrip("\r\n"))


def unusable(path: Path, place: str, problem: str) -> SourceRow:
    """The row of what names no photograph: called by where it stands in its list or table."""
    return SourceRow(uri=f"{path.name}, {place}", problem=problem)
