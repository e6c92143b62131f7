"""What is in a folder that others write to meanwhile."""

from __future__ import annotations

import os
from pathlib import Path


def files_in(*folders: Path) -> list[Path]:
    """Files under the folders, those that are not finished (.NAME) left out.

    Unlike `Path.glob` it does not mind folders that go while they are looked through.
    """
    return sorted(
        Path(place, name)
        for folder in folders
        for place, _, names in os.walk(folder)
        for name in names
        if not name.startswith(".")
    )
