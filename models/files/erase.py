"""Deletes what a program made itself, and nothing that a link leads to."""

from __future__ import annotations

import shutil
from pathlib import Path


def erase(path: Path) -> None:
    """Delete a file, or a folder with all in it, if it is there; of a link only the link.

    Raises:
        OSError: something in it cannot be deleted.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
