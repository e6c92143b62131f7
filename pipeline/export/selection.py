"""Which pairs of a dataset to export."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from blake3 import blake3

from gends.pipeline.format.manifest import SCHEMA
from gends.pipeline.reading.condition import Condition
from gends.pipeline.reading.reader import (
    BESIDE,
    DatasetNotFoundError,
    read_manifest,
    readable_shards,
)
from gends.pipeline.storage.opening import open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Accepted pairs that meet every condition; without any, all."""

    degradations: tuple[str, ...] = ()
    """Keep only these; empty keeps all."""
    splits: tuple[str, ...] = ()
    """Keep only pairs whose photograph is of these splits; empty keeps all."""
    where: tuple[Condition, ...] = ()
    limit: int | None = None
    """The first so many of what is left, in order of shard and key."""

    def rows(self, root: Path | str, columns: Iterable[str] = SCHEMA.names) -> Iterator[pa.Table]:
        """The rows that were selected, a table per shard: memory holds one manifest at a time.

        Raises:
            DatasetNotFoundError: no committed shard under `root`.
            IdentityError: manifests are there, and no dataset that they belong to.
            ManifestError: a manifest is damaged.
        """
        wanted = list(columns)
        where, left = self._expression(), self.limit
        for shard in _shards(root):
            found = read_manifest(root, columns=wanted, shards=[shard], where=where).slice(0, left)
            yield found
            if left is not None:
                left -= found.num_rows
                if left <= 0:
                    return

    def describe(self) -> dict[str, Any]:
        """What was asked for, as JSON holds it."""
        return {
            "degradations": sorted(self.degradations),
            "splits": sorted(self.splits),
            "where": sorted(condition.text for condition in self.where),
            "limit": self.limit,
        }

    def _expression(self) -> pc.Expression | None:
        terms = [condition.expression for condition in self.where]
        for column, names in (("degradation", self.degradations), ("split", self.splits)):
            if names:
                terms.append(pc.field(column).isin(names))
        return functools.reduce(operator.and_, terms) if terms else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """What a selection comes to."""

    num_pairs: int
    keys_blake3: str
    """Of all keys, a line each."""
    members: tuple[str, ...] = ()
    """What is stored beside any of them."""


def take_census(root: Path | str, selection: Selection) -> Census:
    """Count the selected pairs before any byte of theirs is read.

    Raises:
        ValueError: a degradation or split that no pair has, or no pair is left.
        DatasetNotFoundError, IdentityError, ManifestError: as `Selection.rows`.
    """
    _check_known(root, selection)
    num_pairs, digest, held = 0, blake3(), set[str]()
    sizes = {f"{part}_size": part for part in BESIDE}
    for rows in selection.rows(root, ["key", *sizes]):
        held |= {part for name, part in sizes.items() if rows[name].null_count < len(rows)}
        num_pairs += rows.num_rows
        digest.update("".join(f"{key}\n" for key in rows["key"].to_pylist()).encode())
    if not num_pairs:
        raise ValueError(f"{root}: no accepted pair is left by {selection.describe()}")
    return Census(
        num_pairs=num_pairs,
        keys_blake3=digest.hexdigest(),
        members=tuple(part for part in BESIDE if part in held),
    )


def _check_known(root: Path | str, selection: Selection) -> None:
    asked = {"degradation": selection.degradations, "split": selection.splits}
    if not any(asked.values()):
        return
    rows = read_manifest(root, columns=list(asked))
    for column, names in asked.items():
        known = pc.unique(rows[column]).to_pylist()
        if missing := [name for name in names if name not in known]:
            raise ValueError(f"{root}: no pair with {column} {missing}; there are {sorted(known)}")


def _shards(root: Path | str) -> list[int]:
    shards = readable_shards(open_store(root))
    if not shards:
        raise DatasetNotFoundError(f"{root}: no manifest/*.parquet, so no shard to read yet")
    return shards
