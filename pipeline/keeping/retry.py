"""Make the failed requests of sealed shards again, and nothing else.

A shard is opened again by taking its manifest away. Before that, everything it holds is durable
once more: units without a failure as they were, of the others what did not fail, in a file of kept
rows; and so is a record that the shard is to be opened (see `reopened`). A build that finds kept
rows makes only the requests that are missing beside them. Killed before there is a record, a shard
is as it was; killed after, any build goes on from the units.
"""

from __future__ import annotations

from dataclasses import replace

from gends.pipeline.format.manifest import Row, sealed_rows
from gends.pipeline.keeping.commit import Check, UnitError, read_kept, work_folder, write_reopened
from gends.pipeline.keeping.dataset import Dataset
from gends.pipeline.keeping.reopened import settle, take_away
from gends.pipeline.reading.reader import ShardReader, read_manifest
from gends.pipeline.storage.store import Store
from gends.pipeline.types import CATALOG_REASONS, View, WorkUnit


def failed_shards(dataset: Dataset, shards: list[int], reasons: set[str]) -> dict[int, int]:
    """How many rows failed in each of the shards for these reasons.

    Without `reasons` for any but those that stand in the catalog, and so are there to stay.
    """
    found = {}
    for shard in shards:
        count = sum(_is_wanted(reason, reasons) for reason in _reasons(dataset, shard))
        if count:
            found[shard] = count
    return found


def failed_reasons(dataset: Dataset, shards: list[int]) -> list[str]:
    """For which reasons rows failed in these shards."""
    return sorted({reason for shard in shards for reason in _reasons(dataset, shard)})


def _reasons(dataset: Dataset, shard: int) -> list[str]:
    table = read_manifest(
        dataset.store.url, status="failed", columns=["status", "reason"], shards=[shard]
    )
    reasons: list[str] = table["reason"].to_pylist()
    return reasons


def _is_wanted(reason: str, reasons: set[str]) -> bool:
    return reason in reasons if reasons else reason not in CATALOG_REASONS


def reopen(dataset: Dataset, shard: int, reasons: set[str], check: Check = lambda: None) -> None:
    """Turn a sealed shard back into durable units and kept rows, then take its manifest away.

    One that was to be opened already is settled, and goes on from what was kept then.

    Raises:
        ManifestError, PairError: what is to be kept is damaged; the shard stays as it is.
        StorageError: the store does not answer.
    """
    store, reader = dataset.store, ShardReader(dataset.store.url)
    if settle(store, shard, check):
        return
    rows = {str(row["key"]): row for row in sealed_rows(store, shard)[0]}
    for unit in dataset.plan.units(shard):
        mine = [rows[request.key] for view in unit.views for request in view.requests]
        kept = [
            _with_bytes(row, reader)
            for row in sorted(mine, key=lambda row: str(row["key"]))
            if row["status"] != "failed" or not _is_wanted(row["reason"], reasons)
        ]
        whole = len(kept) == len(mine)
        write_reopened(store, shard, unit.index, kept, whole=whole, check=check)
    take_away(store, shard, same=False, check=check)


def without_kept(store: Store, unit: WorkUnit) -> WorkUnit:
    """The unit without the requests whose rows were kept.

    Raises:
        UnitError: the file of kept rows is damaged.
    """
    kept = frozenset(str(row["key"]) for row in read_kept(store, unit.shard, unit.index))
    views = (_without(view, kept) for view in unit.views)
    return replace(unit, views=tuple(view for view in views if view.requests), kept=kept)


def completed(store: Store, unit: WorkUnit, rows: list[Row]) -> list[Row]:
    """Rows of a unit with those that were kept beside them, if it came from `without_kept`.

    Raises:
        UnitError: the file of kept rows is damaged, or that of another `retry` by now.
    """
    if not unit.kept:
        return rows
    kept = read_kept(store, unit.shard, unit.index)
    if {row["key"] for row in kept} != unit.kept:
        raise UnitError(store.where(work_folder(unit.shard)), unit.shard, unit.index)
    return [*rows, *kept]


def _without(view: View, kept: frozenset[str]) -> View:
    return replace(view, requests=tuple(r for r in view.requests if r.key not in kept))


def _with_bytes(row: Row, reader: ShardReader) -> Row:
    if row["status"] != "accepted":
        return row
    pictures = {**reader.read_pair(row), **reader.read_beside(row)}
    return row | {f"{part}_bytes": bytes(data) for part, data in pictures.items()}
