"""Sealed shards that are opened again: what they were is durable until they are sealed anew.

The record stands beside the shard's units before its manifest goes. So whichever command goes on
knows that the shard is to be made again, and what its checksum was. Once the shard is sealed anew,
the record says what came out, and is kept until somebody was told: by a build that came to its end,
as one that says it and is then stopped exits as if nothing had been wrong.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, get_args

from blake3 import blake3

from gends.pipeline.format.manifest import (
    ManifestError,
    manifest_name,
    numbers,
    read_facts,
    sealed_shards,
    shard_name,
)
from gends.pipeline.format.shard import checksum_of
from gends.pipeline.keeping.commit import Check, begun_shards, work_folder
from gends.pipeline.keeping.lease import LeaseLostError
from gends.pipeline.storage.store import Store

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
    differed: bool = False
    """Whether other bytes came out when it was opened before, which nobody was told yet."""
    writer: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Tells this record from one that another build wrote of the same shard."""


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
    before = read_record(store, shard)
    digest, version = _manifest(store, shard)
    record = Reopened(
        manifest_blake3=digest, shard_blake3=shard_blake3, same=same, differed=_differed(before)
    )
    _write_record(store, shard, record, check)
    try:
        check()
    except LeaseLostError:
        if before is None:
            _withdraw(store, shard, record)
        raise
    store.remove(manifest_name(shard), version)


def reopen_empty(store: Store, shard: int, shard_blake3: str | None, check: Check) -> None:
    """Open a sealed shard again, to be made from nothing and to the same bytes.

    Its tar stays until another takes its place; without a manifest nobody reads it. A shard that
    was to be opened already is settled: what was kept of it may be in use.
    """
    if not settle(store, shard, check):
        take_away(store, shard, shard_blake3=shard_blake3, same=True, check=check)


def remember_tar(store: Store, shard: int, check: Check) -> None:
    """Record the checksum of a tar whose manifest is lost, so that its bytes are compared.

    Does nothing for a shard that was opened on purpose, or has no tar: then what is on record of it
    counts, if anything is.
    """
    before = read_record(store, shard)
    opened = before is not None and before.outcome is None
    if opened or not store.exists(shard_name(shard)):
        return
    with store.local_copy(shard_name(shard)) as tar:
        checksum = checksum_of(tar)
    record = Reopened(shard_blake3=checksum, differed=_differed(before))
    _write_record(store, shard, record, check)


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


def settle(store: Store, shard: int, check: Check) -> bool:
    """Decide about a sealed shard that still has a work folder.

    Either it was sealed and not cleaned up, and what is left to do is to `close` it; or it was to
    be opened again. Then its manifest is still there, or there again because a build before that
    published it when it woke up, and is taken away. An older one, published in the same way, does
    not fit the tar: the shard is open, and `seal` replaces it.

    Returns whether the shard is open now; if not, it is closed.
    """
    record = read_record(store, shard)
    if record is not None and record.outcome is None:
        digest, version = _manifest(store, shard)
        if record.manifest_blake3 == digest:
            check()
            store.remove(manifest_name(shard), version)
            return True
        if not _fits(store, shard):
            return True
    close(store, shard, check)
    return False


def close(store: Store, shard: int, check: Check) -> None:
    """Remove the units of a shard that is sealed now.

    Whether one that was to have the same bytes again has stays on record, until `forget`: whoever
    is to tell it may be killed before.
    """
    record = read_record(store, shard)
    if record is None or not (record.same or record.differed):
        clear(store, shard, check)
        return
    # Also where one is on record: tar and manifest may have been lost and made again since.
    outcome = _outcome(store, shard, record)
    if outcome != record.outcome:
        _write_record(store, shard, replace(record, outcome=outcome), check)
    clear(store, shard, check, but=RECORD)


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


def _fits(store: Store, shard: int) -> bool:
    """Whether a shard's tar is the one that its manifest names."""
    try:
        checksum = read_facts(store, shard)["shard_blake3"]
        with store.local_copy(shard_name(shard)) as tar:
            return checksum_of(tar) == checksum
    except (FileNotFoundError, ManifestError):
        return False


def _differed(record: Reopened | None) -> bool:
    """Whether it is on record that other bytes came out: to be told, however often it is opened."""
    return record is not None and (record.differed or record.outcome == "other")


def _outcome(store: Store, shard: int, record: Reopened) -> Outcome:
    if _differed(record):
        return "other"
    if record.shard_blake3 is None:
        return "unknown"
    try:
        now = read_facts(store, shard)["shard_blake3"]
    except ManifestError:  # damaged since: what came out, if that is on record, was seen before
        return record.outcome or "other"
    return "same" if now == record.shard_blake3 else "other"


def _write_record(store: Store, shard: int, record: Reopened, check: Check) -> None:
    with store.publish(_record_name(shard), check=check) as file:
        file.write(json.dumps(asdict(record)).encode())


def _withdraw(store: Store, shard: int, record: Reopened) -> None:
    """Remove a record put after a sleep, unless a successor went by it: its manifest is gone."""
    with contextlib.suppress(OSError):
        version = store.version(_record_name(shard))
        stands = _manifest(store, shard)[0] == record.manifest_blake3
        if stands and read_record(store, shard) == record:
            store.remove(_record_name(shard), version)


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
