"""Whether data to test on share photographs with data that were trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from gends.pipeline.reading.reader import read_manifest

NAMED = 5
"""Photographs that an error names; it counts the others."""


class SharedSourcesError(ValueError):
    """Photographs of the test data are in the training data, or it cannot be known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSource:
    """One photograph that pairs of both were made from, the same file byte for byte."""

    source_blake3: str
    train: str
    """ROOT: URI, where the training data have it first."""
    test: str
    """ROOT: URI, where the test data have it first."""


def shared_sources(
    train_roots: Sequence[Path | str],
    test_roots: Sequence[Path | str],
    *,
    train_split: str | None = None,
    test_split: str | None = None,
) -> list[SharedSource]:
    """Photographs behind accepted pairs of both, in the order of the test data.

    A photograph is its file's content, whatever its path. A copy that was cut, scaled or encoded
    anew is another file and not found.

    Args:
        train_roots: datasets that were or are going to be trained on.
        test_roots: datasets to be judged on.
        train_split: count only training pairs of this split; None counts all.
        test_split: the same for the test data.

    Raises:
        SharedSourcesError: a pair does not say which photograph it was made from.
        DatasetNotFoundError: a root without a committed shard.
    """
    train = _sources(train_roots, train_split)
    return [
        SharedSource(source_blake3=digest, train=train[digest], test=place)
        for digest, place in _sources(test_roots, test_split).items()
        if digest in train
    ]


def refuse_shared(
    train_roots: Sequence[Path | str],
    test_roots: Sequence[Path | str],
    *,
    train_split: str | None = None,
    test_split: str | None = None,
) -> None:
    """Raise SharedSourcesError naming the photographs that both hold; arguments as above."""
    shared = shared_sources(train_roots, test_roots, train_split=train_split, test_split=test_split)
    if not shared:
        return
    named = [f"  {source.test} (in training: {source.train})" for source in shared[:NAMED]]
    if len(shared) > NAMED:
        named.append(f"  and {len(shared) - NAMED} more")
    raise SharedSourcesError(
        f"{len(shared)} photographs to test on are in the training data:\n"
        + "\n".join(named)
        + "\nFigures on them would be too good: build both from photographs of their own, or from "
        "the splits of one list"
    )


def _sources(roots: Sequence[Path | str], split: str | None) -> dict[str, str]:
    """Content of each photograph → the first place that has it."""
    found: dict[str, str] = {}
    for root in roots:
        rows = read_manifest(root, columns=["key", "source_blake3", "source_uri", "split"])
        if split is not None:
            rows = rows.filter(pc.equal(rows["split"], split))
        _check_known(root, rows)
        # One row per photograph, not per pair, becomes a Python object.
        pairs = rows.group_by("source_blake3", use_threads=False)
        sources = pairs.aggregate([("source_uri", "first")])
        uris = sources["source_uri_first"].to_pylist()
        for digest, uri in zip(sources["source_blake3"].to_pylist(), uris, strict=True):
            found.setdefault(digest, f"{root}: {uri}")
    return found


def _check_known(root: Path | str, rows: pa.Table) -> None:
    unknown = rows.filter(pc.is_null(rows["source_blake3"]))
    if len(unknown):
        raise SharedSourcesError(
            f"{root}: {len(unknown)} pairs, first {unknown['key'][0]}, have no source_blake3: "
            "whether their photographs are in other data cannot be known; build the dataset again"
        )
