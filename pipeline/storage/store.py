"""Files under a dataset's root that are published whole or not at all."""

from __future__ import annotations

import abc
import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, BinaryIO

WAYS_OUT = {
    errno.EMFILE: "let this process open more (ulimit -n), or read with fewer workers",
    errno.ENFILE: "let this machine open more (sysctl fs.file-max), or read with fewer processes",
    errno.ENOMEM: "free some memory, or read with fewer workers",
    errno.EIO: "see whether its disk is in order (dmesg), and mount it again",
    **dict.fromkeys(
        (
            errno.ESTALE,
            errno.ENOTCONN,
            errno.ETIMEDOUT,
            errno.ENODEV,
            errno.ENXIO,
            errno.EREMOTEIO,
            errno.EHOSTDOWN,
            errno.EHOSTUNREACH,
            errno.ENETDOWN,
            errno.ENETUNREACH,
            errno.ECONNREFUSED,
            errno.ECONNRESET,
            errno.ECONNABORTED,
            errno.ESHUTDOWN,
        ),
        "mount its disk again",
    ),
}
"""Errors of the system that tell of this machine, and nothing of the file."""


class StorageError(OSError):
    """The storage is full, stays away or refuses. What was published stays; work can resume."""


class AlreadyExistsError(FileExistsError):
    """A name was taken, or what it stood for replaced: another process committed first."""


class Store(abc.ABC):
    """A dataset's root, on a disk or in an object store.

    Names are relative, with forward slashes. All methods raise OSError when the storage does not
    answer as it should, StorageError where a user can mend that, and FileNotFoundError where a name
    is missing.
    """

    url: str
    """The root as the user named it."""

    def where(self, name: str) -> str:
        """A name as a user would look it up."""
        return f"{self.url}/{name}"

    def with_timeout(self, seconds: float) -> Store:
        """The same root, given up when it has not answered for so long; disks answer at once."""
        return self

    @abc.abstractmethod
    def exists(self, name: str) -> bool:
        """Whether something was published under the name."""

    @abc.abstractmethod
    def names(self, folder: str) -> list[str]:
        """Sorted names (last part only) of what is directly in a folder; none without a folder."""

    @abc.abstractmethod
    def size(self, name: str) -> int:
        """Bytes published under the name."""

    @abc.abstractmethod
    def read(self, name: str) -> bytes:
        """All bytes published under the name."""

    @abc.abstractmethod
    def read_range(self, name: str, offset: int, size: int) -> bytes:
        """Some of the bytes; fewer than `size` at the end of the file."""

    @abc.abstractmethod
    def publish(
        self,
        name: str,
        *,
        create_only: bool = False,
        check: Callable[[], None] | None = None,
    ) -> contextlib.AbstractContextManager[BinaryIO]:
        """Open a file that becomes `name`, durably, when the block ends without error.

        Readers see the whole file or nothing. On an exception nothing is left behind. `check` is
        called when all is written, and may raise. As a process may sleep after that, a file for
        which there is a check replaces only what stood under the name when the block began.

        Raises:
            AlreadyExistsError: `create_only` and the name is taken; or another process has
                published it since the block began, or swept away what was being written.
        """

    @abc.abstractmethod
    def local_copy(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """A local file with the bytes of `name`, there for the duration of the block."""

    @abc.abstractmethod
    def copy_to(self, name: str, file: IO[bytes]) -> None:
        """Write the bytes of `name` into an open file, from its beginning on."""

    @abc.abstractmethod
    def version(self, name: str) -> str:
        """A text that is another one once something else was published under the name."""

    @abc.abstractmethod
    def versions(self, folder: str) -> dict[str, str]:
        """The `version` of each name in a folder, relative to it; unfinished files are named, too.

        On a disk a folder below counts as one name, in a bucket its objects do.
        """

    @abc.abstractmethod
    def remove(self, name: str, version: str | None = None) -> None:
        """Delete one file, if it still has this version; a missing one is fine.

        So a process that sleeps before it deletes does not delete what others published since. On
        a disk that is so at any moment; a bucket is asked right before.
        """

    def remove_all(self, folder: str, versions: dict[str, str]) -> None:
        """Delete what still has these versions in a folder, and the folder when it is empty."""
        for name, version in versions.items():
            self.remove(f"{folder}/{name}", version)

    @abc.abstractmethod
    def sweep(self, folder: str) -> None:
        """Delete what other processes have not finished writing in a folder, "" for the root.

        A process that lives can then not publish it any more; so only who holds the root may.
        """


@contextlib.contextmanager
def room_in(folder: Path | str, advice: str = "make room there") -> Iterator[None]:
    """Say which disk is full: the system's own error names no file.

    Raises:
        StorageError: the disk is full, or the user's share of it.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StorageError(f"{folder}: the disk is full ({error.strerror}); {advice}") from error


@contextlib.contextmanager
def usable(place: Path | str) -> Iterator[None]:
    """Keep what is wrong with this machine apart from what is wrong with a file.

    Raises:
        StorageError: too many files are open, memory is missing, or a mounted disk is away.
    """
    try:
        yield
    except MemoryError as error:  # also Arrow's
        missing = OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        raise machine_fault(missing, place) from error
    except OSError as error:
        if error.errno in WAYS_OUT:
            raise machine_fault(error, place) from error
        raise


def machine_fault(error: OSError, place: Path | str) -> StorageError:
    """What is said of an error that tells of this machine, or of a right that is missing."""
    way_out = WAYS_OUT.get(error.errno or 0, "give this user the right to it")
    return StorageError(f"{error.filename or place}: {error.strerror}; {way_out}")
