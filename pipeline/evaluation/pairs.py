"""Which pairs are evaluated: accepted ones of several datasets, each under a name of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from gends.pipeline.reading.reader import read_manifest
from gends.pipeline.storage.opening import same_place

FACTS = (
    "key",
    "degradation",
    "severity_dataset",
    "mu",
    "sigma",
    "split",
    "source_id",
    "source_blake3",
)
"""Columns of a manifest that results are grouped by, or told apart by."""
PLACES = ("shard", "gt_offset", "gt_size", "gt_blake3", "lq_offset", "lq_size", "lq_blake3")
"""Where their pictures lie."""


def names_of(roots: Sequence[str]) -> dict[str, str]:
    """Name → root: the folder's own name, or all of its path where two are called alike.

    A path that ends in no name, as `.`, is followed to the folder.

    Raises:
        ValueError: a root is given twice.
    """
    paths = [same_place(root) if _last(root) in (".", "..") else root for root in roots]
    short = [_last(path) or path for path in paths]
    times = Counter(short)
    named = {
        name if times[name] == 1 else path: root
        for name, path, root in zip(short, paths, roots, strict=True)
    }
    if len(set(map(same_place, roots))) < len(roots):
        raise ValueError(f"a dataset is named twice: {', '.join(roots)}")
    return named


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def select_pairs(
    root: Path | str,
    *,
    degradations: Sequence[str] | None = None,
    split: str | None = None,
    limit: int | None = None,
) -> pa.Table:
    """Rows of the pairs to evaluate, in order of shard and key.

    Args:
        root: the dataset.
        degradations: only these.
        split: only pairs whose photograph is of this split.
        limit: at most so many pairs per degradation, evenly spaced.

    Raises:
        DatasetNotFoundError: no committed shard there.
        ValueError: no such pair.
    """
    rows = read_manifest(root, columns=[*FACTS, *PLACES])
    for column, wanted in (("degradation", degradations), ("split", [split] if split else None)):
        if wanted is not None:
            known = sorted(pc.unique(rows[column]).to_pylist())
            rows = rows.filter(pc.is_in(rows[column], value_set=pa.array(wanted, pa.string())))
            if not len(rows):
                raise ValueError(f"{root}: no pair with {column} {list(wanted)}; there are {known}")
    if not len(rows):
        raise ValueError(f"{root}: no accepted pairs to evaluate on")
    return rows if limit is None else rows.take(_spread(rows["degradation"].to_pylist(), limit))


def _spread(degradations: list[str], limit: int) -> list[int]:
    kept: list[int] = []
    for name in sorted(set(degradations)):
        places = [index for index, value in enumerate(degradations) if value == name]
        count = min(limit, len(places))
        kept += [places[number * len(places) // count] for number in range(count)]
    return sorted(kept)
