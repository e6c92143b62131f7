"""Copy a dataset with the clean pictures exchanged among its pairs: a control that cannot teach.

    python examples/ood_gain/mispair.py ROOT OUT [--seed 0]

Each degraded picture gets the clean one of another photograph's pair, of the same degradation. All
pictures are those of ROOT, as often as there; only that two belong together is lost. OUT is a
dataset like any other, and `gends-build verify OUT` finds nothing wrong with it; only `--deep`,
which carries formulas out again, sees that a clean picture is another's. `detail` of every row says
whose it is.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3

from gends.histograms.severity import measure
from gends.pipeline.format.decode import decode
from gends.pipeline.format.identity import IDENTITY_NAME
from gends.pipeline.format.manifest import PARTS, float32, shard_name, write_manifest
from gends.pipeline.format.shard import ShardWriter
from gends.pipeline.keeping.dataset import Dataset, open_dataset
from gends.pipeline.keeping.parts import CATALOG_NAME, PROFILE_NAME
from gends.pipeline.making.structure import structure_score
from gends.pipeline.reading.reader import ShardReader, read_manifest, readable_shards
from gends.pipeline.storage.opening import open_store
from gends.pipeline.storage.store import Store

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{options.out}: {mispair(options.root, options.out, options.seed)} pairs")


def mispair(root: Path, out: Path, seed: int = 0) -> int:
    """Write the mispaired copy, which appears whole; returns its number of pairs.

    Raises:
        FileExistsError: there is something at `out`.
        ValueError: a degradation has more than half of its pairs of one photograph.
    """
    if out.exists():
        raise FileExistsError(f"{out} is there; name another folder")
    dataset = open_dataset(root)
    donors = draw_donors(read_manifest(root).to_pylist(), seed)
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    target = open_store(partial)
    for name in (CATALOG_NAME, PROFILE_NAME, IDENTITY_NAME):
        with target.publish(name) as file:
            file.write(dataset.store.read(name))
    reader = ShardReader(root)
    for shard in readable_shards(dataset.store):
        rows = read_manifest(root, status=None, shards=[shard]).to_pylist()
        write_shard(target, shard, [exchanged(row, donors, reader) for row in rows], dataset)
    partial.rename(out)
    return len(donors)


def draw_donors(rows: Sequence[Row], seed: int) -> dict[str, Row]:
    """Key of each accepted pair → the pair whose clean picture it gets.

    Pairs of a degradation are put in a random order that keeps those of a photograph together, and
    each gets the clean picture so many places on that no photograph meets its own.

    Raises:
        ValueError: that is impossible.
    """
    donors: dict[str, Row] = {}
    names = sorted({row["degradation"] for row in rows})
    for number, name in enumerate(names):
        rng = np.random.default_rng((seed, number))
        ordered, largest = _arranged([r for r in rows if r["degradation"] == name], rng)
        if 2 * largest > len(ordered):
            raise ValueError(
                f"{largest} of {len(ordered)} pairs of {name} are of one photograph, so they "
                "cannot all get another's: take more photographs"
            )
        shift = int(rng.integers(largest, len(ordered) - largest + 1))
        moved = ordered[shift:] + ordered[:shift]
        donors |= {row["key"]: donor for row, donor in zip(ordered, moved, strict=True)}
    return donors


def _arranged(rows: Sequence[Row], rng: np.random.Generator) -> tuple[list[Row], int]:
    """Rows in random order, those of a photograph together, and how many the largest has."""

    def source(row: Row) -> str:
        return str(row["source_id"])

    groups = [list(found) for _, found in groupby(sorted(rows, key=source), source)]
    shuffled = [groups[place] for place in rng.permutation(len(groups))]
    ordered = [group[place] for group in shuffled for place in rng.permutation(len(group))]
    return ordered, max(map(len, groups))


def exchanged(row: Row, donors: Mapping[str, Row], reader: ShardReader) -> Row:
    """A row with its bytes, the clean picture its donor's, and what is measured measured anew."""
    if row["status"] != "accepted":
        return row
    donor = donors[row["key"]]
    data = {part: reader.read(*_place(row, part)) if _has(row, part) else None for part in PARTS}
    data["gt"] = gt_bytes = reader.read(*_place(donor, "gt"))
    gt, lq = decode(gt_bytes), decode(data["lq"])
    severity = measure(lq, gt)
    return row | {
        **{f"{part}_bytes": found for part, found in data.items()},
        "detail": f"mispaired: gt of {donor['key']}",
        "mu": float32(severity.mu),
        "sigma": float32(severity.sigma),
        "metrics": [("structure", float32(structure_score(lq, gt)))],
        "gt_blake3": blake3(gt_bytes).hexdigest(),
    }


def _has(row: Row, part: str) -> bool:
    return row[f"{part}_blake3"] is not None


def _place(row: Row, part: str) -> tuple[int, int, int, str]:
    return row["shard"], row[f"{part}_offset"], row[f"{part}_size"], row[f"{part}_blake3"]


def write_shard(target: Store, shard: int, rows: Sequence[Row], dataset: Dataset) -> None:
    """Seal a shard of rows that carry their bytes."""
    with target.publish(shard_name(shard)) as file:
        writer = ShardWriter(file, dataset.config.image_format)
        written = [writer.add(row) for row in rows]
        writer.close()
    write_manifest(
        target,
        shard,
        written,
        shard_size=writer.num_bytes,
        shard_blake3=writer.blake3,
        config_digest=dataset.config_digest,
    )


if __name__ == "__main__":
    main()
