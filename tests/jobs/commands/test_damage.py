"""Damage to a root ends a command in one line that names the file and the way out."""

from __future__ import annotations

import json
import random

import pytest

from gends.pipeline.format.identity import IDENTITY_NAME
from gends.pipeline.format.manifest import manifest_name
from gends.pipeline.keeping.parts import CATALOG_NAME, PROFILE_NAME


def one_line(ended) -> str:
    assert ended.err.count("\n") == 1, ended.err
    assert "Traceback" not in ended.err
    return ended.err


@pytest.mark.parametrize("name", [CATALOG_NAME, PROFILE_NAME])
@pytest.mark.parametrize("command", ["verify", "status", "repair", "retry"])
def test_a_lost_part_ends_every_command_with_the_way_out(cli, copied, name, command):
    copied.store.path(name).unlink()
    ended = cli(command, copied.store.root)
    assert ended.code == 1
    assert f"{name}: lost; bring it back" in one_line(ended)
    assert f"gends-build run --clean ... --out {copied.store.root}" in ended.err


def test_the_command_that_began_a_dataset_writes_a_lost_part_again(
    cli, photos, build_dataset, tmp_path
):
    copied = build_dataset(photos, tmp_path / "root", clean_dataset="photos", limit=2)
    whole = {name: copied.store.read(name) for name in (CATALOG_NAME, PROFILE_NAME)}
    settings = tmp_path / "settings.json"
    identity = json.loads(copied.store.read(IDENTITY_NAME))
    settings.write_text(json.dumps(identity["config"] | {"clean": str(photos)}))
    for name in whole:
        copied.store.path(name).unlink()
    ended = cli("run", settings, "--out", copied.store.root)
    assert ended.code == 0, ended.err
    assert "is finished, nothing to do" in ended.out
    assert {name: copied.store.read(name) for name in whole} == whole
    copied.store.path(CATALOG_NAME).unlink()
    ended = cli("run", settings, "--seed", 4, "--out", copied.store.root)
    assert ended.code == 2
    assert "config.seed" in ended.err
    assert not copied.store.exists(CATALOG_NAME)


@pytest.mark.parametrize("command", ["verify", "status", "repair", "retry", "run"])
def test_a_changed_identity_ends_every_command(cli, copied, command):
    path = copied.store.path(IDENTITY_NAME)
    path.write_text(path.read_text().replace('"seed": 3', '"seed": 5'))
    root = copied.store.root
    ended = cli(command, "--out", root) if command == "run" else cli(command, root)
    assert ended.code == 1
    assert "dataset.json: damaged, or edited by hand (config" in one_line(ended)


def test_a_manifest_that_is_damaged_anywhere_ends_every_command_in_one_line(
    cli, copied, finished, tmp_path
):
    root, path = copied.store.root, copied.store.path(manifest_name(1))
    whole, rng, refused = path.read_bytes(), random.Random(1), 0
    sheet = ("show", root, "--out", tmp_path / "sheet.png", "--rows", 1, "--side", 32)
    for turn in range(12):
        data = bytearray(whole)
        if turn % 4:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        else:
            del data[rng.randrange(len(data)) :]
        path.write_bytes(data)
        verified = cli("verify", root)
        assert verified.code in (0, 1)
        assert not verified.err
        for command in (("status", root), ("run", "--out", root), sheet):
            ended = cli(*command)
            if ended.code == 0:
                continue
            refused += 1
            assert ended.code == 1
            assert f"{manifest_name(1)}: " in one_line(ended)
            assert "run gends-build verify, and repair" in ended.err
            assert f"{manifest_name(1)}: " in verified.out
    assert refused > 12


def test_a_sheet_of_a_damaged_pair_names_it(cli, copied, tmp_path):
    for path in copied.store.path("shards").iterdir():
        path.write_bytes(bytes(path.stat().st_size))
    ended = cli("show", copied.store.root, "--out", tmp_path / "sheet.png", "--rows", 1)
    assert ended.code == 1
    assert ".gt in shards/00000" in one_line(ended)
    assert "run gends-build verify" in ended.err
