"""Whether a photograph is gone alone, or with the disk or folder that it lay in."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from gends.pipeline.photographs.encoded import file_of
from gends.pipeline.storage.store import StorageError

There = Callable[[str], Iterable[tuple[str, int | None]]]
"""uri and offset of what was there when it was listed, below a folder or, given "", of all."""
MOST = 256
"""Photographs that are looked for before a folder counts as gone."""
GONE = frozenset((errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM))
"""What a system says of a photograph that is not there, or that may not be read."""


class Neighbours:
    """The other photographs of a list, nearest first; nothing is read before it is asked for."""

    def __init__(self, there: There, base: Path) -> None:
        """Relative paths of what was `there` start from `base`."""
        self._there = there
        self._base = base
        self._known: dict[str, list[str]] = {}

    def check(self, file: str, error: OSError) -> None:
        """See that others can still be read where a photograph that was there cannot.

        Those of its own folder are looked for, else those below the next folder above that has any.

        Raises:
            StorageError: none can: its disk is away, or was replaced by something else.
        """
        if error.errno not in GONE or self._any_beside(file):
            return
        raise StorageError(
            f"{self._base / file} is not there any more ({error.strerror}), and neither is any "
            "photograph that lay beside it: mount their disk, or bring their folder back; if they "
            "are gone for good, leave them out (a build: --fail-missing makes failed rows of them)"
        ) from error

    def any_there(self) -> bool:
        """Whether one of the first photographs can be read, or none ever could."""
        first = list(itertools.islice(self._files(), MOST))
        return not first or any(map(self._is_there, first))

    def _any_beside(self, file: str) -> bool:
        folder = os.path.dirname(file)
        if folder not in self._known:
            self._known[folder] = self._in(folder)
        others = [other for other in self._known[folder] if other != file]
        while not others and folder not in ("", "/"):
            folder = os.path.dirname(folder)
            others = [other for other in self._below(folder) if other != file]
        return any(map(self._is_there, others))

    def _in(self, folder: str) -> list[str]:
        files = (file for file in self._files(folder) if os.path.dirname(file) == folder)
        return list(itertools.islice(files, MOST))

    def _below(self, folder: str) -> list[str]:
        return list(itertools.islice(self._files(folder), MOST))

    def _files(self, folder: str = "") -> Iterator[str]:
        """Files with photographs below a folder, each once: a tar holds many."""
        found = (file_of(uri, offset) for uri, offset in self._there(folder))
        return (file for file, _ in itertools.groupby(found))

    def _is_there(self, file: str) -> bool:
        try:
            os.close(os.open(self._base / file, os.O_RDONLY | os.O_NONBLOCK))
        except (OSError, ValueError):
            return False
        return True
