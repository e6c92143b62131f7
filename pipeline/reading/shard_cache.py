"""Copies of shards on a local disk, shared by all processes of a machine, with a size cap."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blake3 import blake3

from gends.pipeline.storage.folder import OpenFile
from gends.pipeline.storage.paths import check_path
from gends.pipeline.storage.store import StorageError, Store, room_in, usable

MOST_OPEN = 16
"""Copies that a process keeps open."""
LOCKS = 16
"""Files to lock while a shard is fetched, so that it is fetched once; few shards share one."""
MAKE_ROOM = "make room there, or lower cache_bytes"
COPY = re.compile(r"[0-9a-f]{32}\.tar")
UNFINISHED = re.compile(r"\.[0-9a-f]{32}\.tar\.[0-9a-f]{32}")


class ShardCache:
    """A folder with copies of shards; the least recently opened make room for others.

    Several processes may use a folder at once, also for different roots. A copy is named after its
    root, its shard and the version of that which the store tells: a shard that was made again is
    fetched again by processes that open it later.

    A copy that was thrown out takes its room on the disk for as long as a process has it open. A
    process lets go of such copies whenever it opens another; until then it reads on from them, so
    others may hold up to `MOST_OPEN` copies each beyond the cap, as long as they open none.
    """

    def __init__(self, folder: Path | str, most_bytes: int) -> None:
        """Keep copies in `folder`, made if need be, of at most `most_bytes` together.

        Raises:
            StorageError: there is no such folder to be had, or no file in it to be locked.
            ValueError: `most_bytes` is below 1, or `folder` begins with "~/".
        """
        if most_bytes < 1:
            raise ValueError(f"cache_bytes must be at least 1, got {most_bytes}")
        check_path(str(folder))
        self.folder = Path(folder).absolute()
        self.most_bytes = most_bytes
        self._open: dict[tuple[str, str], OpenFile] = {}
        with self._locked("room"):  # or it would be found out pair by pair
            pass

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel without open files."""
        return ShardCache, (self.folder, self.most_bytes)

    def read_range(self, store: Store, name: str, offset: int, size: int) -> bytes:
        """Some bytes of a shard, which is fetched whole if it is not there.

        Raises:
            FileNotFoundError: the store has no such shard.
            StorageError: it does not answer, the disk of the folder is full, the folder is not to
                be used any more, or the shard alone has more bytes than the folder may.
        """
        place = (store.url, name)
        # Taken out and put back at the end: the least recently read comes first.
        file = self._open.pop(place, None) or self._opened(store, name)
        self._open[place] = file
        with contextlib.suppress(RuntimeError, StopIteration):  # another thread does the same
            while len(self._open) > MOST_OPEN:
                self._open.pop(next(iter(self._open)), None)
        return os.pread(file.descriptor, size, offset)

    def _let_go(self) -> None:
        """Close copies that were thrown out, here or by others."""
        for place, file in list(self._open.items()):
            if os.fstat(file.descriptor).st_nlink == 0:
                self._open.pop(place, None)

    def drop(self, store: Store, name: str) -> None:
        """Throw a copy away: its bytes are not those that they should be."""
        self._open.pop((store.url, name), None)
        path = self._path(store, name)
        with self._working():
            path.unlink(missing_ok=True)

    def _path(self, store: Store, name: str) -> Path:
        known = "\n".join((store.url, name, store.version(name)))
        return self.folder / f"{blake3(known.encode()).hexdigest(16)}.tar"

    def _opened(self, store: Store, name: str) -> OpenFile:
        path = self._path(store, name)
        self._let_go()
        with self._locked(str(int(path.stem, 16) % LOCKS)):
            file = self._kept(path) or self._fetch(store, name, path)
        with self._working():
            # By its descriptor: others may have thrown it out. Many disks keep no time of access.
            os.utime(file.descriptor)
        return file

    def _kept(self, path: Path) -> OpenFile | None:
        with self._working(), contextlib.suppress(FileNotFoundError):
            return OpenFile(path)
        return None

    def _fetch(self, store: Store, name: str, path: Path) -> OpenFile:
        temporary = self.folder / f".{path.name}.{uuid.uuid4().hex}"
        size = store.size(name)
        try:
            # Around the closing, too: it tries again to write what the disk had no room for.
            with room_in(self.folder, MAKE_ROOM), contextlib.ExitStack() as stack:
                with self._locked("room"), self._working():
                    self._make_room(size, store.where(name))
                    file = stack.enter_context(open(temporary, "xb"))
                    # Held while this process lives: others tell by it what a killed one left
                    # behind, under the lock for room, or they could take it before it is held.
                    fcntl.flock(file, fcntl.LOCK_EX)
                    file.truncate(size)  # so that others count it
                store.copy_to(name, file)
                with self._working():
                    file.flush()
                    opened = OpenFile(temporary)
                    os.replace(temporary, path)
                return opened
        finally:
            with self._working():
                temporary.unlink(missing_ok=True)

    def _make_room(self, size: int, where: str) -> None:
        if size > self.most_bytes:
            raise StorageError(
                f"{where} has {size} bytes, more than cache_bytes={self.most_bytes}: "
                "allow more, or read without a cache"
            )
        copies = []
        total = size
        for path in self.folder.iterdir():
            if UNFINISHED.fullmatch(path.name) and _is_left_behind(path):
                path.unlink(missing_ok=True)
            elif COPY.fullmatch(path.name) or UNFINISHED.fullmatch(path.name):
                with contextlib.suppress(FileNotFoundError):
                    found = path.stat()
                    total += found.st_size
                    if COPY.fullmatch(path.name):
                        copies.append((found.st_mtime_ns, found.st_size, path))
        for _, freed, path in sorted(copies):
            if total <= self.most_bytes:
                break
            path.unlink(missing_ok=True)
            total -= freed
        self._let_go()

    @contextlib.contextmanager
    def _locked(self, what: str) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            with self._working():
                self.folder.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context(open(self.folder / f"{what}.lock", "ab"))
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        """Say of the folder what would else be taken for damage of a shard."""
        try:
            with room_in(self.folder, MAKE_ROOM), usable(self.folder):
                yield
        except StorageError:
            raise
        except OSError as error:
            raise StorageError(
                f"{self.folder}: no cache can be kept there ({error.strerror}); "
                "name a folder on a local disk by cache="
            ) from error


def _is_left_behind(path: Path) -> bool:
    """Whether the process that was writing the file has ended."""
    with contextlib.suppress(FileNotFoundError, BlockingIOError), open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
