"""Tells what gends itself made: its degraded pictures must not become clean photographs."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from gends.pipeline.format.identity import IDENTITY_NAME
from gends.pipeline.format.manifest import METADATA_KEYS
from gends.pipeline.storage.store import StorageError, usable

EXPORT_NAME = "export.json"
"""What an export is of; its presence says that the folder is ours."""
RESTORED_NAME = "restored.json"
"""The record beside the restored pictures of a dataset."""
_DATASET, _EXPORT = "a dataset", "an export of a dataset"
_RECORDS = {
    IDENTITY_NAME: (b'"identity_digest"', _DATASET),
    EXPORT_NAME: (b'"num_selected"', _EXPORT),
    RESTORED_NAME: (b'"model_digest"', "restored pictures of a dataset"),
}
"""File → what stands in it and in no file of others that is called so, and what it is beside."""
_OWN_FOLDERS = ("shards", "manifest")
_CATALOG_KEYS = frozenset({"digest"})
_PAIR_KEYS = frozenset({"key", "source_id", "mu_target", "sigma_target", "target_kind"})
_MOST_RECORD = 1 << 20


def refusal(place: str, what: str) -> str:
    """The message that a source is such output, with the way out."""
    return (
        f"{place} is {what} that gends made; its degraded pictures would become clean ones. "
        "Name the folder of the original photographs"
    )


def made_in(folder: str) -> str | None:
    """What gends made in just this folder; None where it made nothing.

    Raises:
        StorageError: this machine or its disk cannot say.
    """
    for name, (mark, what) in _RECORDS.items():
        place = os.path.join(folder, name)
        try:
            with usable(place), open(place, "rb") as file:
                if mark in file.read(_MOST_RECORD):
                    return what
        except StorageError:
            raise
        except OSError:
            continue
    return None


def made_around(folder: str) -> tuple[str, str] | None:
    """The folder and kind of the output that a folder is part of, or None.

    Photographs that lie under a dataset's root, but not among its own files, are no part of it.
    """
    path = Path(os.path.realpath(folder))
    for above in (path, *path.parents):
        inside = path.relative_to(above).parts
        what = made_in(str(above))
        among = bool(inside) and inside[0] in _OWN_FOLDERS
        if what and (not inside or what == _EXPORT or (what == _DATASET and among)):
            return str(above), what
    return None


def is_own_pair(facts: dict[str, Any]) -> bool:
    """Whether the JSON member of a tar is that of a pair that gends made."""
    return facts.keys() >= _PAIR_KEYS


def own_table(keys: Collection[str], columns: Collection[str]) -> str | None:
    """What a Parquet file is, by the keys of its metadata and its columns, if gends made it."""
    if set(keys) >= METADATA_KEYS:
        return "a manifest"
    if set(keys) >= _CATALOG_KEYS and {"uri", "source_id", "duplicate_of"} <= set(columns):
        return "the catalog of a dataset"
    return None
