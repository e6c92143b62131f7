"""Files under a dataset's root that are published whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


class AlreadyExistsError(FileExistsError):
    """A create-only name was taken: another process committed first."""


class Store:
    """A local dataset root. Names are relative, with forward slashes."""

    def __init__(self, root: Path | str) -> None:
        """Point at a root folder, which need not exist yet.

        Raises:
            ValueError: a URL of a kind that is not supported.
        """
        if "://" in str(root):
            raise ValueError(f"{root}: only local folders are supported as a root")
        self.root = Path(root)

    def path(self, name: str) -> Path:
        """Local path of a name."""
        return self.root / name

    def exists(self, name: str) -> bool:
        """Whether something was published under the name."""
        return self.path(name).exists()

    def names(self, folder: str) -> list[str]:
        """Sorted file names (last part only) in a folder; none when the folder is missing."""
        try:
            with os.scandir(self.path(folder)) as entries:
                return sorted(e.name for e in entries if not e.name.startswith("."))
        except FileNotFoundError:
            return []

    @contextlib.contextmanager
    def publish(self, name: str, *, create_only: bool = False) -> Iterator[BinaryIO]:
        """Open a temporary file that becomes `name`, durably, when the block ends without error.

        Readers see the whole file or nothing. On an exception nothing is left behind.

        Raises:
            AlreadyExistsError: `create_only` and the name is taken.
        """
        final = self.path(name)
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = final.parent / f".{final.name}.{uuid.uuid4().hex}"
        try:
            with open(temporary, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if create_only:
                # link() refuses an existing name atomically; rename() would replace it.
                os.link(temporary, final)
            else:
                os.replace(temporary, final)
            _sync_folder(final.parent)
        except FileExistsError as error:
            raise AlreadyExistsError(f"{final} exists already") from error
        finally:
            temporary.unlink(missing_ok=True)

    def remove_folder(self, folder: str) -> None:
        """Delete a folder and all in it; a missing one is fine."""
        shutil.rmtree(self.path(folder), ignore_errors=True)

    def sweep(self, folder: str) -> None:
        """Delete temporary files that a killed process left in a folder."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self.path(folder)) as entries:
            for entry in entries:
                if entry.name.startswith(".") and entry.is_file():
                    os.unlink(entry.path)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the root for one build; the kernel releases it when the process dies.

        Raises:
            BlockingIOError: another build holds it.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with open(self.root / ".lock", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BlockingIOError(
                    f"{self.root}: another gends-build is writing here; wait for it or stop it"
                ) from error
            yield


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
