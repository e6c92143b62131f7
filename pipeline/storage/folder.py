"""A dataset's root on a local or mounted disk."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO

from gends.models.files.erase import erase
from gends.models.files.flush import flush
from gends.pipeline.names import hidden_name
from gends.pipeline.storage.faults import fault_point
from gends.pipeline.storage.rename import rename_to_free
from gends.pipeline.storage.store import AlreadyExistsError, StorageError, Store, room_in, usable

TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}")
"""Names of files that are being written."""
MOST_OPEN = 64
"""Files kept open: random access to many shards must not run out of descriptors."""


class LocalStore(Store):
    """A folder, which may be a link; but nothing is written or deleted behind a link in it."""

    def __init__(self, root: Path | str) -> None:
        """Point at a folder, which need not exist yet. It stays the same when the process moves."""
        self.root = Path(root).absolute()
        self.url = str(self.root)
        self._files: dict[str, OpenFile] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the path, without open files."""
        return LocalStore, (self.root,)

    def path(self, name: str) -> Path:
        """Local path of a name."""
        return self.root / name

    def _owned_path(self, name: str) -> Path:
        """Local path of a name to write or delete: what lies behind a link belongs to others."""
        for folder in PurePosixPath(name).parents[:-1]:
            if (link := self.path(str(folder))).is_symlink():
                raise StorageError(
                    f"{link} is a link: nothing is written or deleted behind one; put a folder in "
                    "its place, or mount the other disk there"
                )
        return self.path(name)

    def exists(self, name: str) -> bool:
        """See `Store`."""
        with usable(self.path(name)):
            return self.path(name).exists()

    def names(self, folder: str) -> list[str]:
        """See `Store`; hidden files are left out."""
        try:
            with usable(self.path(folder)), os.scandir(self.path(folder)) as entries:
                return sorted(e.name for e in entries if not e.name.startswith("."))
        except FileNotFoundError:
            return []

    def size(self, name: str) -> int:
        """See `Store`."""
        with usable(self.path(name)):
            return self.path(name).stat().st_size

    def read(self, name: str) -> bytes:
        """See `Store`."""
        with usable(self.path(name)):
            return self.path(name).read_bytes()

    def read_range(self, name: str, offset: int, size: int) -> bytes:
        """See `Store`; the files read last are kept open."""
        path = self.path(name)
        with usable(path):
            file = self._files.pop(name, None) or OpenFile(path)
        self._files[name] = file  # at the end: the least recently read comes first
        # Another thread may be at the same: then it, or the next read, closes what is too many.
        with contextlib.suppress(RuntimeError, StopIteration):
            while len(self._files) > MOST_OPEN:
                self._files.pop(next(iter(self._files)), None)
        with usable(path):
            return os.pread(file.descriptor, size, offset)

    @contextlib.contextmanager
    def publish(
        self, name: str, *, create_only: bool = False, check: Callable[[], None] | None = None
    ) -> Iterator[BinaryIO]:
        """See `Store`: a hidden temporary file, synced and then given its name."""
        final, folder = self._owned_path(name), name.partition("/")[0]
        temporary = final.parent / hidden_name(final.name, uuid.uuid4().hex)
        try:
            with room_in(final.parent):
                with _new_file(temporary) as file:
                    before = _version_behind(final)
                    fault_point(f"{folder}.begun")
                    yield file
                    fault_point(f"{folder}.written")
                    file.flush()
                    os.fsync(file.fileno())
                fault_point(f"{folder}.synced")
                if check is not None:
                    check()
                fault_point(f"{folder}.checked")
                if create_only or (check is not None and before is None):
                    rename_to_free(temporary, final)
                elif check is not None and _version_behind(final) != before:
                    raise AlreadyExistsError(f"{final} was replaced by another process")
                else:
                    os.replace(temporary, final)
                fault_point(f"{folder}.named")
                flush(final.parent)
        except FileNotFoundError as error:
            if temporary.exists():
                raise
            text = f"{final}: another process swept away what was to become it"
            raise AlreadyExistsError(text) from error
        except AlreadyExistsError:
            raise
        except FileExistsError as error:
            raise AlreadyExistsError(f"{final} exists already") from error
        finally:
            with contextlib.suppress(NotADirectoryError):
                temporary.unlink(missing_ok=True)

    @contextlib.contextmanager
    def local_copy(self, name: str) -> Iterator[Path]:
        """See `Store`: the file itself."""
        path = self.path(name)
        with usable(path):
            path.stat()
        yield path

    def copy_to(self, name: str, file: IO[bytes]) -> None:
        """See `Store`."""
        file.seek(0)
        with usable(self.path(name)), open(self.path(name), "rb") as source:
            shutil.copyfileobj(source, file, 1 << 20)

    def version(self, name: str) -> str:
        """See `Store`: files are replaced, so each has an inode and a time of its own."""
        with usable(self.path(name)):
            return _version(self.path(name).lstat())

    def versions(self, folder: str) -> dict[str, str]:
        """See `Store`."""
        found = {}
        nothing = contextlib.suppress(FileNotFoundError, NotADirectoryError)
        with nothing, usable(self.path(folder)):
            for name in os.listdir(self.path(folder)):
                with contextlib.suppress(FileNotFoundError):
                    found[name] = self.version(f"{folder}/{name}")
        return found

    def remove(self, name: str, version: str | None = None) -> None:
        """See `Store`; what may have been replaced since it was looked at is put back if it was."""
        path = self._owned_path(name)
        if version is None:
            path.unlink(missing_ok=True)
            return
        aside = path.parent / hidden_name(path.name, uuid.uuid4().hex)
        with contextlib.suppress(FileNotFoundError):  # gone, or swept away
            if _version(path.lstat()) != version:
                return
            path.rename(aside)
            if _version(aside.lstat()) != version:
                with contextlib.suppress(FileExistsError):
                    rename_to_free(aside, path)
            erase(aside)  # whatever it is: among a shard's units nothing else belongs

    def remove_all(self, folder: str, versions: dict[str, str]) -> None:
        """See `Store`."""
        super().remove_all(folder, versions)
        with contextlib.suppress(OSError):  # there is something else in it, or it is a link
            self._owned_path(folder).rmdir()

    def sweep(self, folder: str) -> None:
        """See `Store`: only files that `publish` named; others are not ours."""
        nothing = contextlib.suppress(FileNotFoundError, NotADirectoryError)
        place = self._owned_path(f"{folder}/x" if folder else "x").parent
        with nothing, os.scandir(place) as entries:
            for entry in entries:
                ours = entry.is_file(follow_symlinks=False) or entry.is_symlink()
                if TEMPORARY.fullmatch(entry.name) and ours:
                    os.unlink(entry.path)


class OpenFile:
    """A descriptor that is closed when the last thread reading from it lets go."""

    def __init__(self, path: Path) -> None:
        self.descriptor = -1
        self.descriptor = os.open(path, os.O_RDONLY)

    # An argument, as the module's own names are gone when the interpreter ends.
    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        if self.descriptor >= 0:
            close(self.descriptor)


def _delete(path: Path) -> None:
    """Whatever it is: in the folder of a shard's units nothing else belongs."""
    erase(path)


def _version(facts: os.stat_result) -> str:
    """What tells a file from another that takes its name."""
    return f"{facts.st_ino} {facts.st_size} {facts.st_mtime_ns}"


def _version_behind(path: Path) -> str | None:
    """Of what a link leads to, if it is one; None where there is nothing."""
    try:
        return _version(path.stat())
    except FileNotFoundError:
        return None


def _new_file(path: Path) -> BinaryIO:
    """Open a new file, in a folder that is made if need be.

    Raises:
        StorageError: nothing can be made there.
        FileNotFoundError: the folder was swept away again.
    """
    made = False
    try:
        _make_folder(path.parent)
        made = True
        return open(path, "xb")
    except OSError as error:
        swept = made and not path.parent.exists()
        if swept or error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StorageError(
            f"{path.parent}: nothing can be written there ({error.strerror}); name another place, "
            "or make this one writable"
        ) from error


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it durably: each is an entry of another."""
    missing = itertools.takewhile(lambda path: not path.exists(), (folder, *folder.parents))
    above = [path.parent for path in missing]
    folder.mkdir(parents=True, exist_ok=True)
    for parent in above:
        flush(parent)
