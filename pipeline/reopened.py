"""Sealed shards that are opened again: what they were is durable until they are sealed anew.

The record stands beside the shard's units before its manifest goes. So whichever command goes on
knows that the shard is to be made again, and what its checksum was. Once the shard is sealed anew,
the record says what came out, and is kept until somebody was told.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Literal, get_args

from blake3 import blake3

from gends.pipeline.commit import Check, begun_shards, work_folder
from gends.pipeline.manifest import (
    ManifestError,
    manifest_name,
    numbers,
    read_facts,
    sealed_shards,
    shard_name,
)
from gends.pipeline.shard import checksum_of
from gends.pipeline.store import Store

RECORD = "reopened.json"
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
    outcome: Outcome | None = None
    """What came out, once it is sealed anew."""


def take_away(
    store: Store,
    shard: int,
    *,
    shard_blake3: str | None = None,
    same: bool,
    check: Check = lambda: None,
) -> None:
    """Take a sealed shard's manifest away; the shard is then made from its durable units.

    `check` is called before, and raises when another build has taken the root over.
    """
    digest, version = _manifest(store, shard)
    record = Reopened(manifest_blake3=digest, shard_blake3=shard_blake3, same=same)
    _write_record(store, shard, record, check)
    check()
    store.remove(manifest_name(shard), version)


def reopen_empty(store: Store, shard: int, shard_blake3: str | None, check: Check) -> None:
    """Open a sealed shard again, to be made from nothing and to the same bytes.

    Its tar stays until another takes its place; without a manifest nobody reads it.
    """
    clear(store, shard, check)
    take_away(store, shard, shard_blake3=shard_blake3, same=True, check=check)


def remember_tar(store: Store, shard: int, check: Check) -> None:
    """Record the checksum of a tar whose manifest is lost, so that its bytes are compared.

    Does nothing for a shard that was opened on purpose, or has no tar.
    """
    record = read_record(store, shard)
    opened = record is not None and record.outcome is None
    if opened or not store.exists(shard_name(shard)):
        return
    with store.local_copy(shard_name(shard)) as tar:
        checksum = checksum_of(tar)
    _write_record(store, shard, Reopened(shard_blake3=checksum), check)


def open_shards(store: Store, num_shards: int) -> set[int]:
    """Shards of the plan that are not sealed, or were but are to be settled (see `settle`)."""
    planned = set(range(num_shards))
    return planned - set(sealed_shards(store)) | planned & begun_shards(store)


def lost_manifests(store: Store, num_shards: int) -> list[int]:
    """Shards of the plan that were sealed and have lost their manifest: a tar, and no units."""
    tars = set(numbers(store.names("shards"), ".tar")) & set(range(num_shards))
    # On both sides: one is sealed meanwhile and then cleaned up, another opened again.
    begun = begun_shards(store)
    unsealed = tars - set(sealed_shards(store))
    begun |= begun_shards(store)
    return sorted(n for n in unsealed if n not in begun or _has_lost_manifest(store, n))


def _has_lost_manifest(store: Store, shard: int) -> bool:
    """Of a shard with a work folder: there is nothing in it, or it was sealed again already."""
    record, units = read_record(store, shard), store.names(work_folder(shard))
    sealed_again = record is not None and record.outcome is not None
    return (sealed_again or not units) and not store.exists(manifest_name(shard))


def settle(store: Store, shard: int, check: Check) -> tuple[bool, Outcome | None]:
    """Decide about a sealed shard that still has a work folder.

    Either a build was killed after it had sealed the shard, and what is left to do is to `close`
    it; or it was to be opened again, and its manifest is still there, or there again because a
    build before that published it when it woke up. Then the manifest is taken away.

    Returns whether the shard is open now and, if not, what `close` says.
    """
    record = read_record(store, shard)
    digest, version = _manifest(store, shard)
    if record and record.outcome is None and record.manifest_blake3 == digest:
        check()
        store.remove(manifest_name(shard), version)
        return True, None
    return False, close(store, shard, check)


def close(store: Store, shard: int, check: Check) -> Outcome | None:
    """Remove the units of a shard that is sealed now.

    Returns whether a shard that was to have the same bytes again has; None if none was asked for.
    That also stays on record, until `forget`: whoever is to tell it may be killed before.
    """
    record = read_record(store, shard)
    if record is None or not record.same:
        clear(store, shard, check)
        return None
    if record.outcome is None:
        record = replace(record, outcome=_outcome(store, shard, record))
        _write_record(store, shard, record, check)
    clear(store, shard, check, but=RECORD)
    return record.outcome


def forget(store: Store, shard: int, check: Check) -> None:
    """Remove what is on record of a shard that is sealed and was told of."""
    record = read_record(store, shard)
    if record is not None and record.outcome is not None:
        clear(store, shard, check)


def clear(store: Store, shard: int, check: Check, *, but: str | None = None) -> None:
    """Remove what is in a shard's work folder now; not what others put there after `check`."""
    there = store.versions(work_folder(shard))
    there.pop(but or "", None)
    check()
    # First: a record that outlives units would have the shard opened again.
    if record := there.pop(RECORD, None):
        store.remove(_record_name(shard), record)
    store.remove_all(work_folder(shard), there)


def read_record(store: Store, shard: int) -> Reopened | None:
    """What a shard was before it was opened again; None for one that never was."""
    try:
        record = Reopened(**json.loads(store.read(_record_name(shard))))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, RecursionError):
        record = None
    if record is None or record.outcome not in (None, *get_args(Outcome)):
        return Reopened()  # damaged: what is known is that the shard was opened
    return record


def _outcome(store: Store, shard: int, record: Reopened) -> Outcome:
    if record.shard_blake3 is None:
        return "unknown"
    try:
        now = read_facts(store, shard)["shard_blake3"]
    except ManifestError:
        return "other"
    return "same" if now == record.shard_blake3 else "other"


def _write_record(store: Store, shard: int, record: Reopened, check: Check) -> None:
    with store.publish(_record_name(shard), check=check) as file:
        file.write(json.dumps(asdict(record)).encode())


def _manifest(store: Store, shard: int) -> tuple[str | None, str]:
    """Digest and version of a manifest as it is now; of a link that leads nowhere no digest."""
    name, version = manifest_name(shard), ""
    try:
        version = store.version(name)
        return blake3(store.read(name)).hexdigest(), version
    except FileNotFoundError:
        return None, version


def _record_name(shard: int) -> str:
    return f"{work_folder(shard)}/{RECORD}"
