"""Where an export goes: it is there whole, or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gends.models.files.erase import erase
from gends.pipeline.names import hidden_name
from gends.pipeline.sources.own_output import EXPORT_NAME
from gends.pipeline.storage.store import room_in


def earlier_export(out: Path) -> dict[str, Any] | None:
    """What the export in a folder is of; None if the folder is empty or not there.

    Raises:
        FileExistsError: something else is there.
    """
    if not os.path.lexists(out) or (out.is_dir() and not any(out.iterdir())):
        return None
    with contextlib.suppress(OSError, ValueError):
        facts = json.loads((out / EXPORT_NAME).read_text("utf-8"))
        if isinstance(facts, dict):
            return facts
    raise FileExistsError(f"{out} is there, and no export of gends; name a new folder")


@contextlib.contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A hidden folder beside `out` that gets its name when the block ends without error.

    What an export that was killed has left there is removed first.

    Raises:
        BlockingIOError: another process is exporting to `out` right now.
        FileExistsError: what has the hidden folder's name is a link or a file, and not ours.
        StorageError: the disk is full.
    """
    hidden = out.with_name(hidden_name(out.name, "exporting"))
    with room_in(out.parent), _locked(hidden):
        for left in hidden.iterdir():
            erase(left)
        try:
            yield hidden
            os.sync()  # before the name: after a power cut it must not stand for less
        except BaseException:
            with contextlib.suppress(OSError):
                erase(hidden)
            raise
        os.replace(hidden, out)  # an empty folder of that name is replaced


def write_facts(folder: Path, facts: dict[str, Any]) -> None:
    """Say what an export is of; to be read by `earlier_export`."""
    (folder / EXPORT_NAME).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """A folder, made if need be, that no other process has; a process that dies lets go of it."""
    try:
        if not folder.is_symlink():  # it may lead to nothing, which would be made
            folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except (FileExistsError, NotADirectoryError) as error:
        raise FileExistsError(
            f"{folder} is a link or a file, and an export would need the name; remove it"
        ) from error
    try:
        if not _take(descriptor, folder):
            raise BlockingIOError(f"{folder}: another export is at work here; wait for it")
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, folder: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Or it was finished and renamed between the opening and the lock.
        return os.path.samestat(os.fstat(descriptor), os.lstat(folder))
    except (BlockingIOError, FileNotFoundError):
        return False
