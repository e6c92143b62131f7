"""Opens the root of a dataset, wherever it lies."""

from __future__ import annotations

from pathlib import Path

from gends.pipeline.storage.folder import LocalStore
from gends.pipeline.storage.paths import check_path
from gends.pipeline.storage.store import Store


def same_place(root: Path | str) -> str:
    """One spelling of a root, however it is given: links and relative paths are followed."""
    url = str(root).rstrip("/")
    return url if "://" in url else str(Path(root).resolve())


def lasting(root: Path | str) -> str:
    """A root by a name that stays right when the process changes its folder."""
    return str(root) if "://" in str(root) else str(Path(root).absolute())


def open_store(root: Path | str) -> Store:
    """The store at a folder or at a URL that obstore knows: s3://, gs://, az://.

    Raises:
        ValueError: a URL of another kind or that would be read as another one, a path that a shell
            should have expanded, or a build without what it needs to reach it.
    """
    check_path(str(root))
    if "://" not in str(root):
        return LocalStore(root)
    from gends.pipeline.storage.bucket import ObjectStore  # noqa: PLC0415  a library of 20 MB

    return ObjectStore(str(root))
