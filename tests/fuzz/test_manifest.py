"""Manifests: rows that name only bytes of their own shard, or a `ManifestError`.

`verify` finds problems and raises nothing.
"""

from __future__ import annotations

import io
import json
import shutil
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gends import PairDataset
from gends.pipeline.format.manifest import (
    RANGES,
    SCHEMA,
    STATUSES,
    ManifestError,
    facts_of,
    manifest_name,
    shard_name,
)
from gends.pipeline.keeping.dataset import open_dataset
from gends.pipeline.keeping.verify import verify
from gends.pipeline.names import printable
from gends.pipeline.reading.reader import read_manifest

PLAIN = {"compression": "none", "use_dictionary": False, "write_statistics": False}
NUMBERS = (None, -1, 0, 1, 7, 511, 512, 2**31 - 1, -(2**31))
LONG = (*NUMBERS, 2**62, 2**63 - 1, -(2**63))
TEXTS = (None, "", "accepted", "failed", "\x1b[2J", "../x", "x" * 3000, "{", "\u202e")
HOSTILE = {
    pa.int32(): NUMBERS,
    pa.int64(): LONG,
    pa.uint64(): (None, 0, 2**64 - 1),
    pa.string(): TEXTS,
    pa.bool_(): (None, True, False),
    pa.float32(): (None, float("nan"), float("inf"), -1.0, 1e30),
    SCHEMA.field("metrics").type: (None, [], [("a", None)], [("", float("nan")), ("", 1.0)]),
}
FACTS = ("", "-1", "0", "9" * 30, "\x1b", "1", "2", "NaN", " 1", "٣", "1_0")
WORDS = (b"\xff" * 8, b"\x00" * 8, b"PAR1", b"\x7f\xff\xff\xff", b"accepted", b"ARROW:schema")


def encoded(table: pa.Table, **options: object) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def edited(rng: Random, table: pa.Table) -> bytes:
    """The manifest as somebody would write it who knows the format and means harm."""
    rows = table.to_pylist()
    for _ in range(rng.randint(0, 3)):
        field = rng.choice(SCHEMA)
        rng.choice(rows)[field.name] = rng.choice(HOSTILE[field.type])
    rng.shuffle(rows)
    rows = rng.choices(rows, k=rng.randint(0, 2 * len(rows))) if rng.random() < 0.2 else rows
    facts = facts_of(table.schema)
    if rng.random() < 0.3:
        facts[rng.choice(list(facts))] = rng.choice(FACTS)
    if rng.random() < 0.1:
        del facts[rng.choice(list(facts))]
    made = pa.Table.from_pylist(rows, schema=SCHEMA.with_metadata(facts))
    if rng.random() < 0.1:
        made = made.drop_columns([rng.choice(SCHEMA.names)])
    return encoded(made, write_page_checksum=rng.random() < 0.5)


@pytest.fixture(scope="module")
def dataset(build_dataset, photos, memory_folder):
    settings = {"limit": 1, "degradations": ["haze", "rain"], "resolution": 16, "min_side": 8}
    built = build_dataset(photos, memory_folder / "manifests", **settings)
    assert read_manifest(built.store.root).num_rows > 0
    yield open_dataset(built.store.root)
    shutil.rmtree(built.store.root)


def test_manifests(fuzz, damage, dataset):
    path = dataset.store.path(manifest_name(0))
    whole = path.read_bytes()
    table = pq.read_table(path)
    seeds = (whole, encoded(table, **PLAIN), encoded(table, compression="zstd"))
    size = dataset.store.size(shard_name(0))

    def read() -> str:
        try:
            rows = read_manifest(dataset.store.root, status=None)
        except ManifestError as error:
            refused = error
        else:
            return accepted(rows)
        assert printable(str(refused)) == str(refused)
        assert str(path) in str(refused)
        return f"ManifestError: {refused.what[:12]}"

    def accepted(rows: pa.Table) -> str:
        assert set(rows["status"].to_pylist()) <= set(STATUSES)
        assert set(rows["shard"].to_pylist()) <= {0}
        json.dumps(rows.drop_columns([*RANGES, "metrics"]).to_pylist())
        return "read"

    def pairs() -> str:
        try:
            for _ in zip(PairDataset(dataset.store.root), range(3), strict=False):
                pass
        except (OSError, ValueError):
            return "a pair cannot be read"
        return "pairs are read"

    def check(rng: Random) -> str:
        kind = rng.random()
        if kind < 0.3:
            path.write_bytes(edited(rng, table))
        elif kind < 0.97:
            path.write_bytes(damage(rng, rng.choice(seeds), WORDS))
        else:
            path.write_bytes(rng.randbytes(rng.randint(0, 60)))
        found = read()
        if found == "read" and rng.random() < 0.2:
            found = pairs()
        if rng.random() < 0.1:
            for _, problems in verify(dataset, deep=rng.random() < 0.5):
                assert all(printable(p.what) == p.what for p in problems), problems
                assert not found.startswith("ManifestError: unreadable") or problems
        return found

    assert size == int(facts_of(table.schema)["shard_size"])
    fuzz(check)
