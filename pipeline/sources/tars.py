"""The members of a tar that nobody vouches for. No tar is ever unpacked to a disk."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import Any, BinaryIO

MOST_HEADER = 1 << 20
"""Bytes that one header may take, with all that extends it."""
_KINDS = {tarfile.SYMTYPE: "a symbolic link", tarfile.LNKTYPE: "a hard link"}


class _Bounded:
    """A file that is not read in pieces which memory could not hold."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MOST_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._file.read(size)


def members(file: BinaryIO) -> Iterator[tarfile.TarInfo]:
    """Yield all members but folders, in the order of the file, in bounded memory.

    A member is known to be whole when the next one, or the end, has been asked for.

    Raises:
        tarfile.TarError: the file is no tar, or is damaged from here on.
        OSError: it cannot be read.
    """
    bounded: Any = _Bounded(file)
    try:
        with tarfile.open(fileobj=bounded, mode="r:") as archive:
            yield from _members(archive)
        # A header that makes no sense ends a tar for tarfile, as blocks of zeros do.
        file.seek(archive.offset)
        if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
            raise tarfile.ReadError(f"no header at byte {archive.offset}")
    except (tarfile.TarError, OSError):
        raise
    except Exception as error:  # broken headers raise anything from struct.error to RecursionError
        raise tarfile.ReadError(f"{type(error).__name__}: {error}") from error


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while member := archive.next():
        # The archive would remember every member it has seen.
        archive.members = []  # type: ignore[attr-defined]
        if member.size < 0:  # it would lead back to an earlier member, round for ever
            raise tarfile.ReadError(f"a member of {member.size} bytes")
        # An extended header may claim another size than the one that led to the next member.
        if oddity(member) is None and member.offset_data + member.size > archive.offset:
            raise tarfile.ReadError(f"a member of {member.size} bytes has no room for them")
        if not member.isdir():
            yield member


def oddity(member: tarfile.TarInfo) -> str | None:
    """What a member is if its bytes do not simply stand in the tar; None for a plain file."""
    if member.issparse():
        return "a sparse file"
    return None if member.isreg() else _KINDS.get(member.type, "no regular file")


def leads_out(member: tarfile.TarInfo) -> bool:
    """Whether unpacking the member would write outside of where it was unpacked."""
    return member.name.startswith("/") or ".." in member.name.split("/")
