from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from gends.pipeline.format.manifest import (
    METADATA_KEYS,
    RANGES,
    SCHEMA,
    content_digest,
    facts_of,
    float32,
    manifest_name,
    member_json,
    numbers,
    sealed_shards,
    shard_name,
    write_manifest,
)
from gends.pipeline.reading.reader import read_manifest
from gends.pipeline.storage.opening import open_store
from gends.pipeline.storage.store import AlreadyExistsError

PARTS = ("gt", "lq", "mask", "bits", "ground", "ground_lq")
PLACES = ("offset", "size", "blake3")
TEXT, FLAG, NUMBER, REAL, PLACE = pa.string(), pa.bool_(), pa.int32(), pa.float32(), pa.int64()
CONTRACT = {
    "key": TEXT,
    "shard": NUMBER,
    "status": TEXT,
    "reason": TEXT,
    "origin": TEXT,
    "source_id": TEXT,
    "source_uri": TEXT,
    "source_dataset": TEXT,
    "source_degradation": TEXT,
    "source_blake3": TEXT,
    "view": TEXT,
    "degradation": TEXT,
    "steps": TEXT,
    "engine": TEXT,
    "target_kind": TEXT,
    "scm_applied": FLAG,
    "mu_target": REAL,
    "sigma_target": REAL,
    "mu": REAL,
    "sigma": REAL,
    "severity_dataset": TEXT,
    "random_sampled": FLAG,
    "seed": pa.uint64(),
    "recipe": TEXT,
    "width": NUMBER,
    "height": NUMBER,
    "metrics": pa.map_(TEXT, REAL),
    "caption": TEXT,
    **{f"{part}_{what}": PLACE for part in PARTS for what in ("offset", "size")},
    **{f"{part}_blake3": TEXT for part in PARTS},
}
"""Columns that other people's programs count on."""
BESIDE = {"detail": TEXT, "attempt": NUMBER, "split": TEXT}
"""Why in words, which draw was kept, and the split of the clean image."""


def test_the_columns_are_those_of_the_contract(finished):
    wanted = CONTRACT | BESIDE
    assert {field.name: field.type for field in SCHEMA} == wanted
    for shard in sealed_shards(finished.store):
        schema = pq.read_schema(finished.store.path(manifest_name(shard)))
        assert {field.name: field.type for field in schema} == wanted


def test_the_metadata_of_a_manifest_speaks_for_its_shard(finished):
    for shard in sealed_shards(finished.store):
        path = finished.store.path(manifest_name(shard))
        metadata = facts_of(pq.read_schema(path))
        tar = finished.store.path(shard_name(shard)).read_bytes()
        rows = pq.read_table(path).to_pylist()
        counts = {
            s: str(sum(r["status"] == s for r in rows)) for s in ("accepted", "rejected", "failed")
        }
        assert metadata == {
            "format_version": "2",
            "shard_size": str(len(tar)),
            "shard_blake3": blake3(tar).hexdigest(),
            "config_digest": finished.config_digest,
            "content_blake3": content_digest(rows, metadata),
            **counts,
        }
        assert metadata.keys() == METADATA_KEYS
        assert finished.plan.count_of_shard(shard) == len(rows)


def test_rows_of_a_finished_dataset_keep_the_contract(finished):
    rows = read_manifest(finished.store.root, status=None).to_pylist()
    assert [row["key"] for row in rows] == sorted(row["key"] for row in rows)
    statuses = {row["status"] for row in rows}
    assert statuses == {"accepted", "rejected", "failed"}
    for row in rows:
        assert row["key"].rsplit("-", 2)[:2] == [row["source_id"], row["degradation"]]
        assert row["origin"] == "generated"
        assert row["degradation"] != row["source_degradation"]
        assert (row["reason"] is None) == (row["status"] == "accepted")
        assert (row["mu"] is None) == (row["status"] == "failed")
        for name in (f"{part}_{what}" for part in PARTS[:2] for what in PLACES):
            assert (row[name] is not None) == (row["status"] == "accepted")
    failed = {(row["reason"], row["source_uri"]) for row in rows if row["status"] == "failed"}
    assert failed == {("duplicate", "copy.jpg"), ("undecodable", "words.png")}


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_real_number_is_the_same_in_parquet_and_in_json(value):
    short = float32(value)
    assert np.float32(short) == np.float32(value)
    assert float32(short) == short
    assert json.loads(json.dumps(short)) == short
    through_arrow = pa.array([short], pa.float32()).to_pylist()[0]
    assert float32(through_arrow) == short


def test_the_json_member_is_the_row_without_its_places():
    row = dict.fromkeys(SCHEMA.names) | {
        "key": "ü-haze-0",
        "seed": 2**63 - 1,
        "mu": float(np.float32(0.1)),
        "recipe": '[{"op": "haze"}]',
        "metrics": [("niqe", float("nan")), ("psnr", float("inf")), ("structure", 0.5)],
        "gt_offset": 512,
    }
    data = member_json(row)
    facts = json.loads(data)
    assert facts.keys() == set(SCHEMA.names) - set(RANGES)
    assert facts["key"] == "ü-haze-0"
    assert "ü".encode() in data
    assert b'"mu": 0.1,' in data
    assert facts["seed"] == 2**63 - 1
    assert facts["recipe"] == row["recipe"]
    # NaN and Infinity are not JSON: strict readers choke on them.
    assert facts["metrics"] == {"niqe": None, "psnr": None, "structure": 0.5}


def test_a_manifest_is_written_once(tmp_path, finished):
    rows = pq.read_table(finished.store.path(manifest_name(0))).to_pylist()
    facts = {"shard_size": 10**6, "shard_blake3": "ab", "config_digest": "cd"}
    store = open_store(tmp_path)
    write_manifest(store, 0, rows, **facts)
    with pytest.raises(AlreadyExistsError):
        write_manifest(store, 0, rows[1:], **facts)
    assert read_manifest(tmp_path, status=None, shards=[0]).num_rows == len(rows)


def test_numbers_of_files_beside_other_files():
    names = ["000002.tar", "1000000.tar", "000010.tar", "notes.tar", "000003.tar.bak", "-1.tar"]
    assert numbers(names, ".tar") == [2, 10, 1_000_000]
