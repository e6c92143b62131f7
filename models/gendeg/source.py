"""Where a model's folder is: a path, the package's own weights, or a repository on the hub."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

from huggingface_hub import snapshot_download

BUNDLED = ("gendeg-mini",)
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FILES = ["*.json", "*/*.json", "*/*.safetensors", "*/merges.txt"]


def locate(
    name: str | Path,
    revision: str | None = None,
    *,
    cache: Path | None = None,
    local_files_only: bool = False,
) -> Path:
    """The local folder of a model, downloaded where need be.

    Args:
        name: A folder, a name in `BUNDLED`, or a hub id "owner/name". A folder of that name wins.
        revision: Commit of a hub repository, 40 hexadecimal digits; branches and tags move.
        cache: Download cache; the hub library's own by default.
        local_files_only: Use the download cache alone.

    Raises:
        ValueError: nothing of that name, a hub id without a commit, or a folder with one.
    """
    if Path(name).is_dir() or name in BUNDLED:
        if revision is not None:
            raise ValueError(
                f"revision {revision!r} for {str(name)!r}, which is no hub repository: leave it out"
            )
        return Path(name) if Path(name).is_dir() else _bundled(str(name))
    if not _HUB_ID.fullmatch(str(name)):
        raise ValueError(
            f"no model at {str(name)!r}: give a folder with a model_index.json, "
            f"{' or '.join(BUNDLED)}, or a hub id owner/name with its revision"
        )
    if revision is None or not _COMMIT.fullmatch(revision):
        raise ValueError(
            f"no folder {str(name)!r} here, and as a hub model with revision {revision!r}: give "
            "the full commit hash (40 hexadecimal digits), so that the same weights are loaded "
            "every time"
        )
    folder = snapshot_download(
        str(name),
        revision=revision,
        allow_patterns=_FILES,
        cache_dir=cache,
        local_files_only=local_files_only,
    )
    return Path(folder)


def _bundled(name: str) -> Path:
    folder = Path(str(files("gends.models") / "weights" / name))
    if not folder.is_dir():
        raise ValueError(f"the bundled model {name!r} is missing at {folder}: reinstall gends")
    return folder
