from __future__ import annotations

import os
import random
import re
import shutil
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from blake3 import blake3

from gends.pipeline.format.decode import decode
from gends.pipeline.format.manifest import (
    METADATA_KEYS,
    PARTS,
    SCHEMA,
    content_digest,
    facts_of,
    manifest_name,
    member_json,
    read_facts,
    sealed_shards,
    shard_name,
    write_manifest,
)
from gends.pipeline.keeping.commit import ShardWriter
from gends.pipeline.keeping.foreign import foreign_files
from gends.pipeline.keeping.verify import verify, verify_shard
from gends.pipeline.making.pack import encode
from gends.pipeline.reading.reader import ShardReader, read_manifest
from gends.pipeline.storage.store import StorageError


def problems(dataset, *, deep: bool = False) -> dict[str, list[str]]:
    """What is wrong, by file."""
    found: dict[str, list[str]] = {}
    for _, group in verify(dataset, deep=deep):
        for problem in group:
            found.setdefault(problem.file, []).append(problem.what)
    return found


def rewrite(dataset, shard: int, change) -> None:
    """Write tar and manifest again as if they had been so from the start."""
    path = dataset.store.path(manifest_name(shard))
    reader = ShardReader(dataset.store.root)
    rows = pq.read_table(path).to_pylist()
    for row in rows:
        for part in PARTS:
            place = (row[f"{part}_offset"], row[f"{part}_size"])
            held = place != (None, None)
            row[f"{part}_bytes"] = reader.read(shard, *place) if held else None
    change(rows)
    with dataset.store.publish(shard_name(shard)) as file:
        writer = ShardWriter(file, dataset.config.image_format)
        rows = [writer.add(row) for row in rows]
        writer.close()
    path.unlink()
    write_manifest(
        dataset.store,
        shard,
        rows,
        shard_size=writer.num_bytes,
        shard_blake3=writer.blake3,
        config_digest=dataset.config_digest,
    )


def edit_manifest(dataset, shard: int, change, facts=None, *, forged: bool = True) -> None:
    """Change rows or facts of a manifest, as if (when `forged`) it had been sealed so."""
    path = dataset.store.path(manifest_name(shard))
    metadata = facts_of(pq.read_schema(path)) | (facts or {})
    rows = pq.read_table(path).to_pylist()
    change(rows)
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    if forged:
        metadata["content_blake3"] = content_digest(table.to_pylist(), metadata)
    pq.write_table(table.replace_schema_metadata(metadata), path)


def first_accepted(rows):
    return next(row for row in rows if row["status"] == "accepted")


def flip(path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("deep", [False, True])
def test_a_sound_dataset_has_no_problems(finished, deep):
    checked = list(verify(finished, deep=deep))
    assert checked == [(shard, []) for shard in range(finished.plan.num_shards)]


@pytest.mark.parametrize("image_format", ["jpg", "webp"])
def test_other_formats_verify_deeply(build_dataset, photos, tmp_path, image_format):
    dataset = build_dataset(photos, tmp_path / "root", image_format=image_format, limit=3)
    assert problems(dataset, deep=True) == {}


def test_the_rewriting_of_these_tests_is_itself_sound(copied):
    rewrite(copied, 0, lambda rows: None)
    edit_manifest(copied, 1, lambda rows: None)
    assert problems(copied, deep=True) == {}


@pytest.mark.parametrize("part", ["gt", "lq"])
def test_a_flipped_bit_in_an_image(copied, part):
    row = first_accepted(pq.read_table(copied.store.path(manifest_name(1))).to_pylist())
    flip(copied.store.path(shard_name(1)), row[f"{part}_offset"] + row[f"{part}_size"] // 2)
    assert problems(copied) == {
        shard_name(1): [
            "checksum differs from the manifest's",
            f"{row['key']}.{part} differs from its checksum",
        ]
    }


@pytest.mark.parametrize("position", [0, 10, 130, 150])
def test_a_flipped_bit_in_the_first_header(copied, position):
    flip(copied.store.path(shard_name(0)), position)
    found = problems(copied)[shard_name(0)]
    assert found[0] == "checksum differs from the manifest's"
    assert found[1].startswith("not readable as a tar: ")


def test_a_flipped_bit_in_a_later_header(copied):
    row = first_accepted(pq.read_table(copied.store.path(manifest_name(0))).to_pylist())
    header = row["lq_offset"] - 512
    flip(copied.store.path(shard_name(0)), header)
    found = problems(copied)[shard_name(0)]
    assert found[1] == f"not readable as a tar: no header at byte {header}"


def test_flipped_padding_is_noticed_too(copied):
    path = copied.store.path(shard_name(0))
    flip(path, path.stat().st_size - 1)
    assert problems(copied) == {shard_name(0): ["checksum differs from the manifest's"]}


def test_a_truncated_or_padded_tar(copied):
    path = copied.store.path(shard_name(0))
    size = path.stat().st_size
    for wrong in (size - 1, size // 2, 0, size + 512):
        os.truncate(path, wrong)
        assert problems(copied) == {shard_name(0): [f"{wrong} bytes, manifest says {size}"]}


def test_a_missing_tar(copied):
    copied.store.path(shard_name(2)).unlink()
    assert problems(copied) == {shard_name(2): ["missing"]}


def test_a_shard_that_is_being_sealed_is_no_problem(copied, make_units):
    copied.store.path(manifest_name(2)).unlink()
    make_units(copied, copied.plan.units(2))
    assert problems(copied) == {}


def test_a_tar_without_its_manifest(copied):
    copied.store.path(manifest_name(2)).unlink()
    assert problems(copied) == {
        shard_name(2): ["its manifest is missing; gends-build repair makes the shard again"]
    }


def test_a_build_that_is_not_finished_is_fine_as_far_as_it_goes(
    found_dataset, make_units, seal_shard, photos, tmp_path
):
    dataset = found_dataset(photos, tmp_path / "root")
    assert list(verify(dataset)) == []
    make_units(dataset, dataset.plan.units(1))
    seal_shard(dataset, 1)
    assert list(verify(dataset, deep=True)) == [(1, [])]


def test_a_planned_shard_that_is_not_there_is_not_sealed_yet(copied):
    for name in (shard_name, manifest_name):
        copied.store.path(name(1)).unlink()
    planned = range(copied.plan.num_shards)
    assert list(verify(copied)) == [(shard, []) for shard in planned if shard != 1]


def test_files_beyond_the_plan(copied):
    assert list(foreign_files(copied)) == []
    shutil.copy(copied.store.path(shard_name(0)), copied.store.path(shard_name(99)))
    shutil.copy(copied.store.path(manifest_name(0)), copied.store.path(manifest_name(98)))
    copied.store.path("shards/000003.d").mkdir()
    for name in ("shards/foreign.tar", "manifest/x\x1b[2J.parquet", "shards/.hidden"):
        copied.store.path(name).touch()
    assert problems(copied) == {}
    found = dict(foreign_files(copied))
    assert list(found) == [
        "shards/000003.d",
        shard_name(99),
        "shards/foreign.tar",
        manifest_name(98),
        "manifest/x\\x1b[2J.parquet",
    ]
    assert all("not in the plan" in what for what in found.values())


def test_a_shard_in_the_place_of_another(copied):
    for name in (shard_name, manifest_name):
        shutil.copy(copied.store.path(name(0)), copied.store.path(name(1)))
    found = problems(copied)
    assert list(found) == [manifest_name(1)]
    assert re.fullmatch(r"\d+ planned keys missing, \d+ foreign", found[manifest_name(1)][0])


def test_a_shard_of_another_dataset(copied, build_dataset, photos, tmp_path):
    other = build_dataset(photos, tmp_path / "other", seed=4, limit=2)
    for name in (shard_name, manifest_name):
        shutil.copy(other.store.path(name(0)), copied.store.path(name(0)))
    ((file, (first, second)),) = problems(copied).items()
    assert (file, first) == (manifest_name(0), "made with another configuration")
    assert "rows are not as planned" in second


def test_a_manifest_that_goes_while_it_is_verified_is_no_damage(copied):
    assert verify_shard(copied, 0) == []
    copied.store.path(manifest_name(0)).rename(copied.store.root / "aside")
    assert verify_shard(copied, 0) == [], "a retry has opened the shard"
    copied.store.path(manifest_name(0)).symlink_to("nowhere")
    assert problems(copied) == {manifest_name(0): ["unreadable: it is not there"]}


def test_a_manifest_that_is_none(copied, photos):
    copied.store.path(manifest_name(0)).write_bytes(b"no parquet")
    shutil.copy(copied.store.path("catalog.parquet"), copied.store.path(manifest_name(1)))
    rows = pq.read_table(copied.store.path(manifest_name(2)))
    pq.write_table(rows.replace_schema_metadata(None), copied.store.path(manifest_name(2)))
    found = problems(copied)
    assert list(found) == [manifest_name(n) for n in range(3)]
    assert found[manifest_name(0)][0].startswith("unreadable: ")
    assert found[manifest_name(1)] == ["columns or metadata are not a manifest's"]
    assert found[manifest_name(2)] == ["columns or metadata are not a manifest's"]


@pytest.mark.parametrize("name", ["shard_size", "accepted", "format_version"])
def test_metadata_that_is_no_number(copied, name):
    path = copied.store.path(manifest_name(0))
    table = pq.read_table(path)
    facts = facts_of(table.schema) | {name: "\x1b[2J"}
    pq.write_table(table.replace_schema_metadata(facts), path)
    ((file, (what,)),) = problems(copied).items()
    assert file == manifest_name(0)
    assert "\\x1b[2J" in what


def test_a_flipped_bit_anywhere_in_a_manifest_is_found_or_changes_nothing(copied):
    path = copied.store.path(manifest_name(0))
    whole, table = path.read_bytes(), pq.read_table(path)
    unnoticed = 0
    for place in random.Random(0).sample(range(len(whole)), 150):
        flip(path, place)
        if not problems(copied):
            unnoticed += 1  # of statistics and encodings, which nothing here relies on
            assert pq.read_table(path).to_pylist() == table.to_pylist()
            known = {name: read_facts(copied.store, 0)[name] for name in METADATA_KEYS}
            assert known == {name: facts_of(table.schema)[name] for name in METADATA_KEYS}
        path.write_bytes(whole)
    assert unnoticed < 75


@pytest.mark.parametrize(
    "changes",
    [
        {"key": None},
        {"key": "\x1b[2J"},
        {"metrics": [("a", None)]},
        {"mu": float("nan")},
        {"lq_offset": -1},
        {"gt_size": None},
        {"gt_size": 2**62},
    ],
)
def test_rows_that_no_build_writes(copied, changes):
    edit_manifest(copied, 0, lambda rows: first_accepted(rows).update(changes))
    found = problems(copied, deep=True)[shard_name(0)]
    assert found
    assert not any("\x1b" in what for what in found)


def test_a_link_in_the_place_of_a_picture(copied):
    path = copied.store.path(shard_name(0))
    data = bytearray(path.read_bytes())
    row = first_accepted(pq.read_table(copied.store.path(manifest_name(0))).to_pylist())
    header = row["gt_offset"] - 512
    block = data[header : header + 512]
    block[156:157] = tarfile.SYMTYPE
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    data[header : header + 512] = block
    path.write_bytes(data)
    found = problems(copied)[shard_name(0)]
    assert found[1].startswith("not readable as a tar: ")


def test_an_edited_row(copied):
    edit_manifest(copied, 0, lambda rows: first_accepted(rows).update(mu=0.123))
    key = first_accepted(pq.read_table(copied.store.path(manifest_name(0))).to_pylist())["key"]
    assert problems(copied) == {shard_name(0): [f"{key}.json missing or unlike its manifest row"]}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"lq_offset": 0}, r"\.lq is not where its row says"),
        ({"gt_size": 7}, r"\.gt is not where its row says"),
        ({"lq_offset": 10**12}, r"\.lq is not where its row says"),
        ({"lq_blake3": "0" * 64}, r"\.lq differs from its checksum"),
        ({"status": "rejected"}, r"\.gt\.png has no manifest row"),
        ({"caption": "made up"}, r"\.json missing or unlike"),
    ],
)
def test_any_edit_of_an_accepted_row(copied, changes, says):
    edit_manifest(copied, 0, lambda rows: first_accepted(rows).update(changes))
    found = problems(copied, deep=True)
    assert any(re.search(says, what) for what in found[shard_name(0)])


def test_rows_that_were_dropped_repeated_or_renamed(copied):
    edit_manifest(copied, 0, lambda rows: rows.pop())
    edit_manifest(copied, 1, lambda rows: rows.append(rows[0]))
    edit_manifest(copied, 2, lambda rows: rows.reverse())
    found = problems(copied)
    assert found[manifest_name(0)] == ["1 planned keys missing, 0 foreign"]
    assert found[manifest_name(1)] == ["keys repeated or out of order"]
    assert found[manifest_name(2)] == ["keys repeated or out of order"]


@pytest.mark.parametrize(
    ("status", "changes", "columns"),
    [
        ("failed", {"degradation": "fog", "mu_target": 0.9}, "degradation, mu_target"),
        ("failed", {"severity_dataset": "x", "random_sampled": None}, "severity_dataset, random"),
        ("failed", {"source_uri": "x", "split": "val", "engine": "x"}, "source_uri, split, engine"),
        ("rejected", {"sigma_target": None, "caption": "x"}, "sigma_target, caption"),
        ("rejected", {"seed": 0}, "seed"),
        ("rejected", {"attempt": 0}, "seed"),
        ("rejected", {"attempt": 9}, "seed"),
        ("rejected", {"attempt": None}, "seed"),
        ("rejected", {"status": "failed", "reason": None}, "reason"),
        ("rejected", {"status": "failed", "reason": "duplicate"}, "reason"),
        ("failed", {"reason": None}, "reason"),
        ("accepted", {"reason": "mu_low"}, "reason"),
    ],
)
def test_rows_that_are_not_as_planned(copied, status, changes, columns):
    shard, key = next(
        (row["shard"], row["key"])
        for row in read_manifest(copied.store.root, status=status).to_pylist()
    )
    edit_manifest(
        copied, shard, lambda rows: next(r for r in rows if r["key"] == key).update(changes)
    )
    what = problems(copied)[manifest_name(shard)][0]
    assert what.startswith(f"1 rows are not as planned; the first, {key}, in {columns}")


def test_a_duplicate_that_became_a_pair_is_noticed(copied):
    (shard,) = {
        row["shard"]
        for row in read_manifest(copied.store.root, status="failed").to_pylist()
        if row["reason"] == "duplicate"
    }

    def change(rows):
        for row in rows:
            if row["reason"] == "duplicate":
                row |= {"reason": "unreadable"}

    edit_manifest(copied, shard, change)
    (what,) = problems(copied)[manifest_name(shard)]
    assert re.fullmatch(r"\d+ rows are not as planned; the first, \S+, in reason", what)


@pytest.mark.parametrize(
    "changes", [{"detail": "x"}, {"reason": "unreadable"}, {"status": "rejected"}, {"width": 7}]
)
def test_any_change_since_a_manifest_was_sealed_is_said_of_the_manifest(copied, changes):
    failed = read_manifest(copied.store.root, status="failed").to_pylist()[0]["shard"]

    def change(rows):
        next(row for row in rows if row["status"] == "failed").update(changes)

    edit_manifest(copied, failed, change, forged=False)
    assert problems(copied) == {
        manifest_name(failed): ["damaged: its rows or its metadata are not those that were sealed"]
    }


@pytest.mark.parametrize("name", ["shard_blake3", "config_digest", "shard_size", "failed"])
def test_changed_metadata_is_said_of_the_manifest(copied, name):
    edit_manifest(copied, 0, lambda rows: None, {name: "77"}, forged=False)
    (what,) = problems(copied)[manifest_name(0)]
    assert what.startswith("damaged: ")


def test_counts_that_are_not_those_of_the_rows(copied):
    edit_manifest(copied, 0, lambda rows: None, {"accepted": "1"})
    (what,) = problems(copied)[manifest_name(0)]
    assert what.startswith("1 accepted in its metadata, ")


def test_a_rejected_row_called_accepted(copied):
    shard = next(
        n
        for n in sealed_shards(copied.store)
        if "rejected" in pq.read_table(copied.store.path(manifest_name(n)))["status"].to_pylist()
    )

    def accept(rows):
        next(row for row in rows if row["status"] == "rejected")["status"] = "accepted"

    edit_manifest(copied, shard, accept)
    found = problems(copied, deep=True)
    assert any("json missing" in what for what in found[shard_name(shard)])
    assert any("is not where its row says" in what for what in found[shard_name(shard)])


def _tamper(config):
    def change(rows):
        row = first_accepted(rows)
        image = decode(row["lq_bytes"])
        row["lq_bytes"] = encode(np.ascontiguousarray(image[::-1]), config)
        row["lq_blake3"] = blake3(row["lq_bytes"]).hexdigest()

    return change


def test_a_forged_image_with_right_checksums_is_caught_by_looking_deeply(copied):
    rewrite(copied, 0, _tamper(copied.config))
    assert problems(copied) == {}
    (what,) = problems(copied, deep=True)[shard_name(0)]
    assert "differs from its row" in what


def test_bytes_that_are_no_image_are_caught_by_looking_deeply(copied):
    def change(rows):
        row = first_accepted(rows)
        row["gt_bytes"] = b"text"
        row["gt_blake3"] = blake3(b"text").hexdigest()

    rewrite(copied, 0, change)
    assert problems(copied) == {}
    (what,) = problems(copied, deep=True)[shard_name(0)]
    assert "cannot identify image" in what


def test_images_of_another_size_are_caught_by_looking_deeply(copied):
    def change(rows):
        row = first_accepted(rows)
        for part in ("gt", "lq"):
            data = encode(np.tile(decode(row[f"{part}_bytes"]), (2, 1, 1)), copied.config)
            row |= {f"{part}_bytes": data, f"{part}_blake3": blake3(data).hexdigest()}

    rewrite(copied, 0, change)
    assert problems(copied) == {}
    (what,) = problems(copied, deep=True)[shard_name(0)]
    assert what.endswith("64x128 pixels stored")


def test_members_that_no_row_knows(copied):
    path = copied.store.path(shard_name(0))
    with tarfile.open(path, "a") as archive:
        archive.add(__file__, "extra.txt")
    data = path.read_bytes()
    facts = {"shard_size": str(len(data)), "shard_blake3": blake3(data).hexdigest()}
    edit_manifest(copied, 0, lambda rows: None, facts)
    assert problems(copied) == {shard_name(0): ["extra.txt has no manifest row"]}


def test_json_is_compared_byte_for_byte(copied):
    rows = pq.read_table(copied.store.path(manifest_name(0))).to_pylist()
    row = first_accepted(rows)
    with tarfile.open(copied.store.path(shard_name(0))) as archive:
        member = archive.extractfile(f"{row['key']}.json")
        assert member is not None
        assert member.read() == member_json(row)


def test_a_root_that_goes_away_has_no_problems(copied, tmp_path):
    found = verify(copied)
    assert next(found) == (0, [])
    copied.store.root.rename(tmp_path / "unmounted")
    copied.store.root.mkdir()
    for checked in (found, verify(copied)):
        with pytest.raises(StorageError, match="mount its disk again"):
            list(checked)
