"""What differs between two catalogs, in one line for people."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from gends.pipeline.photographs.catalog import Catalog
from gends.pipeline.types import CleanImage

KINDS = ("fewer", "new", "of another size", "of other content", "described otherwise")


def describe_changes(old: Catalog, new: Catalog) -> str:
    """How many photographs are gone, new or changed since `old`, with one of each as an example.

    Both are read in order of source_id, a few rows at a time.
    """
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    rows = heapq.merge(_marked(old, 0), _marked(new, 1), key=lambda row: (row[1].source_id, row[0]))
    for _, group in groupby(rows, key=lambda row: row[1].source_id):
        found = list(group)
        kind = _kind(found)
        if kind is not None:
            counts[kind] += 1
            examples.setdefault(kind, found[-1][1].uri)
    named = [f"{counts[kind]} {kind} (as {examples[kind]})" for kind in KINDS if counts[kind]]
    return ", ".join(named) or (
        "none can be named, as the root's list was made by a gends that took no checksums; "
        "run --out alone goes on with that list"
    )


def _marked(catalog: Catalog, side: int) -> Iterator[tuple[int, CleanImage]]:
    return ((side, image) for image in catalog.rows(0, len(catalog)))


def _kind(found: list[tuple[int, CleanImage]]) -> str | None:
    if len(found) == 1:
        return KINDS[found[0][0]]
    (_, old), (_, new) = found
    if old.size != new.size:
        return KINDS[2]
    if old.ends_blake3 is None:  # an old catalog, or it could not be read
        old = replace(old, ends_blake3=new.ends_blake3)
    if old.ends_blake3 != new.ends_blake3:
        return KINDS[3]
    return None if old == new else KINDS[4]
