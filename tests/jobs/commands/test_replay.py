from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow
from recipe_build import build_recipes
from tiny_gendeg import TINY_MINI, tiny_model

from gends.models.gendeg.engine import GenDegDegrader
from gends.models.parametric.catalog import OPERATIONS
from gends.models.parametric.engine import ParametricDegrader
from gends.pipeline.reading.reader import ShardReader, read_manifest, read_pictures

MIXTURES = [
    {"name": "weather", "steps": ["rain", {"op": "haze", "strength": 0.3}, "noise"]},
    {"name": "regions", "steps": {"one_of": ["haze", "low_light"]}, "regions": {"count": 3}},
]


@pytest.fixture(scope="module")
def build(photos, tmp_path_factory):
    return build_recipes(photos, tmp_path_factory.mktemp("b") / "root", mixtures=MIXTURES)


def row_of(dataset, label="weather", status="accepted"):
    rows = read_manifest(dataset.store.url, status=status).to_pylist()
    return next(row for row in rows if row["degradation"] == label)


def opened(path):
    with Pillow.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize("label", ["weather", "regions"])
@pytest.mark.parametrize("ending", ["png", "webp"])
def test_a_pair_comes_out_as_it_is_stored(cli, build, tmp_path, label, ending):
    row = row_of(build, label)
    ended = cli("replay", build.store.root, row["key"], "--out", tmp_path / f"a.{ending}")
    assert ended.code == 0, ended.err
    assert f"a.{ending}: 64x64, {row['steps']}" in ended.out
    assert "the same pixels as stored" in ended.out
    stored = read_pictures(ShardReader(build.store.url), row)["lq"]
    np.testing.assert_array_equal(opened(tmp_path / f"a.{ending}"), stored)


def test_on_another_picture_of_another_size(cli, build, photos, tmp_path):
    other = photos.parent / "rocket right.png"
    arguments = ("replay", build.store.root, row_of(build)["key"], "--on", other)
    ended = cli(*arguments, "--out", tmp_path / "a.png")
    assert ended.code == 0, ended.err
    assert "as stored" not in ended.out
    made, clean = opened(tmp_path / "a.png"), opened(other)
    assert made.shape == clean.shape == (96, 80, 3)
    assert (made != clean).any()


def test_other_values(cli, build, tmp_path):
    row = row_of(build)
    plain = read_pictures(ShardReader(build.store.url), row)
    arguments = ("replay", build.store.root, row["key"], "--out", tmp_path / "a.png")
    off = [f"--set={n}.strength=0" for n in (1, 2, 3)]
    assert cli(*arguments, *off).code == 0
    np.testing.assert_array_equal(opened(tmp_path / "a.png"), plain["gt"])
    ended = cli(*arguments, "--set", "rain.strength=0.9", "--set", "noise.sigma=40")
    assert ended.code == 0, ended.err
    assert "as stored" not in ended.out
    assert (opened(tmp_path / "a.png") != plain["lq"]).any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("rain", "'rain' is not STEP.NAME=VALUE, as in rain.strength=0.4"),
        ("rian.strength=1", "unknown step 'rian'; did you mean 'rain'?"),
        ("rain.strenght=1", "unknown parameter of rain 'strenght'; did you mean 'strength'?"),
        ("rain.strength=2", "rain.strength is 2; it must lie from 0 to 1"),
        ("rain.strength=", "rain.strength is None; give a number"),
        ("rain.strength=[1", "rain.strength: '[1' is no value"),
        ("rain.strength={", "rain.strength: '{' is no value"),
        ("7.strength=0", "number of a step, 1 to 3"),
    ],
)
def test_changes_that_cannot_be_are_refused(cli, build, tmp_path, change, words):
    arguments = ("replay", build.store.root, row_of(build)["key"], "--set", change)
    ended = cli(*arguments, "--out", tmp_path / "a.png")
    assert ended.code == 2
    assert words in " ".join(ended.err.split())
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_made_again_is_said(cli, build, photos, tmp_path):
    root, key = build.store.root, row_of(build)["key"]
    failed = row_of(build, status="failed")
    words = photos.parent / "words.png"
    out = ("--out", tmp_path / "a.png")
    for arguments, said in (
        ((root, "rain", *out), "no pair 'rain'; keys are SOURCE-LABEL-NUMBER"),
        ((root, failed["key"], *out), f"{failed['key']} was not made: {failed['reason']}"),
        ((root, failed["key"], "--set", "rain.strength=1", *out), "was not made"),
        ((root, failed["key"], "--on", words, *out), "was not made"),
        ((root, key, "--on", words, *out), f"{words}: not an image"),
        ((root, key, "--out", tmp_path / "a.tiff"), "must end in one of .png"),
        ((tmp_path / "gone", key, *out), "is the path right?"),
    ):
        ended = cli("replay", *arguments)
        assert ended.code == 2, arguments
        assert said in " ".join(ended.err.split()), arguments
        assert not list(tmp_path.iterdir())


def test_a_rejected_pair_is_made_though_none_is_stored(cli, photos, tmp_path):
    dataset = build_recipes(
        photos, tmp_path / "root", mixtures=MIXTURES[:1], limit=1, filter={"mu_max": 0.01}
    )
    row = row_of(dataset, status="rejected")
    ended = cli("replay", dataset.store.root, row["key"], "--out", tmp_path / "a.png")
    assert ended.code == 0, ended.err
    assert f"the pair was rejected ({row['reason']}), so no picture is stored" in ended.out


def test_jpg_cannot_be_the_same_and_says_how_near_it_is(cli, photos, tmp_path):
    dataset = build_recipes(
        photos, tmp_path / "root", mixtures=MIXTURES, limit=2, image_format="jpg"
    )
    ended = cli("replay", dataset.store.root, row_of(dataset)["key"], "--out", tmp_path / "a.png")
    assert ended.code == 0, ended.err
    assert "stored as jpg: mean difference " in ended.out


def test_a_painted_pair_needs_the_model_that_painted_it(cli, photos, tmp_path):
    model = tiny_model(TINY_MINI)
    model.save_pretrained(tmp_path / "model")
    engines = {
        "gendeg": GenDegDegrader(model),
        "parametric": ParametricDegrader(candidates=3),
    }
    dataset = build_recipes(
        photos,
        tmp_path / "root",
        engines,
        engine="gendeg",
        model=str(tmp_path / "model"),
        mixtures=[{"name": "both", "steps": ["rain", {"op": "noise", "sigma": 9}]}],
        generator={"precision": "fp32"},
        limit=2,
    )
    row = row_of(dataset, "both")
    assert [step["engine"] for step in json.loads(row["recipe"])["steps"]] == [
        *("gendeg", "parametric")
    ]
    arguments = ("replay", dataset.store.root, row["key"], "--out", tmp_path / "a.png")
    ended = cli(*arguments)
    assert ended.code == 0, ended.err
    assert "the same pixels as stored" in ended.out
    assert cli(*arguments, "--set", "rain.mu=0.3", "--set", "noise.sigma=3").code == 0
    (tmp_path / "model").rename(tmp_path / "away")
    ended = cli(*arguments)
    assert ended.code == 2
    assert f"model '{tmp_path / 'model'}'" in ended.err


def test_steps_of_another_version_are_refused(cli, build, tmp_path, monkeypatch):
    changed = replace(OPERATIONS["noise"], version=99)
    monkeypatch.setitem(OPERATIONS, "noise", changed)
    out = tmp_path / "a.png"
    ended = cli("replay", build.store.root, row_of(build)["key"], "--out", out)
    assert ended.code == 2
    assert "version 1 of noise, here is version 99: install the release" in " ".join(
        ended.err.split()
    )
    assert not out.exists()
