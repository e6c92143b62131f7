from __future__ import annotations

import json

import pytest

from gends.pipeline.format.manifest import shard_name
from gends.pipeline.reading.reader import read_manifest


def test_exports_a_selection_and_says_how_many(cli, finished, tmp_path):
    flags = ["--degradation", "haze, rain", "--split", "train", "--where", "mu>=0.05"]
    ended = cli("export", "folder", finished.store.root, tmp_path / "out", *flags, "--limit", 4)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{tmp_path / 'out'}: 4 pairs\n"
    lines = (tmp_path / "out" / "metadata.jsonl").read_text("utf-8").splitlines()
    for row in map(json.loads, lines):
        assert row["degradation"] in ("haze", "rain")
        assert row["split"] == "train"
        assert row["mu"] >= 0.05
    again = cli("export", "folder", finished.store.root, tmp_path / "out", *flags, "--limit", 4)
    assert again.out == f"{tmp_path / 'out'}: 4 pairs (was there already)\n"


def test_copies_the_members_that_are_asked_for(cli, mixed, tmp_path):
    for asked, parts in (("mask,ground", {"mask", "ground"}), ("none", set())):
        out = tmp_path / asked
        ended = cli("export", "folder", mixed.store.root, out, "--members", asked)
        assert ended.code == 0, ended.err
        assert {path.name for path in (out / "weather").iterdir() if path.is_dir()} == {
            "gt",
            "lq",
            *parts,
        }


def test_says_how_to_use_what_it_made(cli, finished, tmp_path):
    ended = cli("export", "daclip", finished.store.root, tmp_path / "out")
    assert "distortion: [hazy, low-light" in ended.out
    assert "pairs have no caption" in ended.out


def test_indexes_for_wids(cli, finished, tmp_path):
    file, num_pairs = tmp_path / "wids.json", len(read_manifest(finished.store.root))
    for there in ("", " (was there already)"):
        ended = cli("export", "wids", finished.store.root, file)
        assert (ended.code, ended.out) == (0, f"{file}: {num_pairs} pairs{there}\n")


def test_damage_ends_with_1_or_is_counted(cli, copied, tmp_path):
    hit = read_manifest(copied.store.root).to_pylist()[0]
    copied.store.path(shard_name(hit["shard"])).write_bytes(b"")
    ended = cli("export", "diffplugin", copied.store.root, tmp_path / "out")
    assert ended.code == 1
    assert hit["key"] in ended.err
    assert not (tmp_path / "out").exists()
    ended = cli("export", "diffplugin", copied.store.root, tmp_path / "out", "--skip-damaged")
    assert ended.code == 0
    num_lost = ended.err.count("left out: ")
    assert num_lost > 1
    assert f"{num_lost} damaged left out" in ended.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["zip", "ROOT", "OUT"], ["'zip' is not one of 'folder', 'basicsr-lmdb'"]),
        (["folder", "ROOT", "s3://bucket/x"], ["only a disk will do"]),
        (
            ["folder", "ROOT", "OUT", "--degradation", "fog"],
            ["no pair with degradation ['fog'];"],
        ),
        (["folder", "ROOT", "OUT", "--where", "mu~3"], ["'mu~3' is no condition"]),
        (["folder", "ROOT", "OUT", "--where", "mu>9"], ["no accepted pair is left"]),
        (["wids", "ROOT", "OUT", "--limit", "3"], ["wids indexes whole shards"]),
        (["wids", "ROOT", "OUT", "--members", "mask"], ["wids indexes whole shards"]),
        (["daclip", "ROOT", "OUT", "--members", "mask"], ["goes with folder and huggingface"]),
        (["folder", "ROOT", "OUT", "--members", "maks"], ["no maks; there are mask, bits"]),
        (["folder", "ROOT", "OUT", "--members", "mask"], ["no selected pair has a mask"]),
    ],
)
def test_wrong_usage_makes_nothing(cli, finished, tmp_path, arguments, words):
    places = {"ROOT": finished.store.root, "OUT": tmp_path / "out"}
    ended = cli("export", *[places.get(argument, argument) for argument in arguments])
    assert ended.code == 2
    assert all(word in " ".join(ended.err.split()) for word in words), ended.err
    assert not list(tmp_path.iterdir())


def test_a_link_at_the_temporary_name_is_refused(cli, finished, tmp_path):
    (tmp_path / "victim" / "sub").mkdir(parents=True)
    (tmp_path / "victim" / "sub" / "b").write_text("precious")
    (tmp_path / ".out.exporting").symlink_to("victim")
    ended = cli("export", "folder", finished.store.root, tmp_path / "out")
    assert ended.code == 2
    assert f"{tmp_path}/.out.exporting is a link or a file" in ended.err
    assert (tmp_path / "victim" / "sub" / "b").read_text() == "precious"
    assert not (tmp_path / "out").exists()
