"""Sealed shards that are opened again: what they were is durable until they are sealed anew.

The record stands beside the shard's units before its manifest goes. So whichever command goes on
knows that the shard is to be made again, and what its checksum was.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

from blake3 import blake3

from gends.pipeline.commit import begun_shards, work_folder
from gends.pipeline.manifest import (
    ManifestError,
    manifest_name,
    read_facts,
    sealed_shards,
    shard_name,
)
from gends.pipeline.store import Store

Outcome = Literal["same", "other", "unknown"]
"""Whether a tar that was to have the same bytes again has; unknown where no checksum was left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened:
    """What a shard was before it was opened again."""

    manifest_blake3: str | None = None
    """Of the manifest that was taken away, as a file."""
    shard_blake3: str | None = None
    """Of its tar, as that manifest recorded it, where it is to have the same bytes again."""
    same: bool = True
    """Whether it is to; after `retry` it holds other pairs."""


def take_away(
    store: Store,
    shard: int,
    *,
    shard_blake3: str | None = None,
    same: bool,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Take a sealed shard's manifest away; the shard is then made from its durable units.

    `check` is called before, and raises when another build has taken the root over.
    """
    record = Reopened(
        manifest_blake3=_manifest_digest(store, shard), shard_blake3=shard_blake3, same=same
    )
    _write_record(store, shard, record, check)
    check()
    store.remove(manifest_name(shard))


def reopen_empty(
    store: Store, shard: int, shard_blake3: str | None, check: Callable[[], None]
) -> None:
    """Open a sealed shard again, to be made from nothing and to the same bytes.

    Its tar stays until another takes its place; without a manifest nobody reads it.
    """
    check()
    store.remove_folder(work_folder(shard))
    take_away(store, shard, shard_blake3=shard_blake3, same=True, check=check)


def remember_tar(store: Store, shard: int, check: Callable[[], None]) -> None:
    """Record the checksum of a tar whose manifest is lost, so that its bytes are compared.

    Does nothing for a shard that was opened on purpose, or has no tar.
    """
    if read_record(store, shard) is not None or not store.exists(shard_name(shard)):
        return
    with store.local_copy(shard_name(shard)) as tar:
        checksum = blake3(max_threads=blake3.AUTO).update_mmap(tar).hexdigest()
    _write_record(store, shard, Reopened(shard_blake3=checksum), check)


def open_shards(store: Store, num_shards: int) -> set[int]:
    """Shards of the plan that are not sealed, or were but are to be settled (see `settle`)."""
    planned = set(range(num_shards))
    return planned - set(sealed_shards(store)) | planned & begun_shards(store)


def settle(store: Store, shard: int, check: Callable[[], None]) -> tuple[bool, Outcome | None]:
    """Decide about a sealed shard that still has a work folder.

    Either a build was killed after it had sealed the shard, and what is left to do is to clean up;
    or it was to be opened again, and its manifest is still there, or there again because a build
    before that published it when it woke up. Then the manifest is taken away.

    Returns whether the shard is open now and, if not, what `outcome` says.
    """
    record = read_record(store, shard)
    check()
    if record is not None and record.manifest_blake3 == _manifest_digest(store, shard):
        store.remove(manifest_name(shard))
        return True, None
    found = outcome(store, shard, record)
    store.remove_folder(work_folder(shard))
    return False, found


def read_record(store: Store, shard: int) -> Reopened | None:
    """What a shard was before it was opened again; None for one that never was."""
    try:
        return Reopened(**json.loads(store.read(_record_name(shard))))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        return Reopened()  # damaged: what is known is that the shard was opened


def outcome(store: Store, shard: int, record: Reopened | None) -> Outcome | None:
    """Whether a shard that was sealed anew has its bytes again; None if that is not asked for."""
    if record is None or not record.same:
        return None
    if record.shard_blake3 is None:
        return "unknown"
    try:
        now = read_facts(store, shard)["shard_blake3"]
    except ManifestError:
        return "other"
    return "same" if now == record.shard_blake3 else "other"


def _write_record(store: Store, shard: int, record: Reopened, check: Callable[[], None]) -> None:
    with store.publish(_record_name(shard), check=check) as file:
        file.write(json.dumps(asdict(record)).encode())


def _manifest_digest(store: Store, shard: int) -> str | None:
    try:
        return blake3(store.read(manifest_name(shard))).hexdigest()
    except FileNotFoundError:
        return None


def _record_name(shard: int) -> str:
    return f"{work_folder(shard)}/reopened.json"
