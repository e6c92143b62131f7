"""Every pair can be made again, to the byte, from what its dataset holds."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from recipe_build import build_recipes

from gends.histograms.severity import measure
from gends.models.parametric.catalog import OPERATIONS
from gends.models.parametric.engine import ParametricDegrader
from gends.pipeline.format.recipe import Recipe
from gends.pipeline.keeping.replay import clean_picture, find_row, remake
from gends.pipeline.making.replay import carry_out_again
from gends.pipeline.reading.reader import ShardReader, read_manifest, read_pictures

ENGINES = {"parametric": ParametricDegrader()}
WEATHER = {
    "name": "weather",
    "steps": [
        {"one_of": ["rain", "snow"]},
        {"op": "haze", "level": [2, 4]},
        {"op": "jpeg", "quality": [20, 60], "probability": 0.5},
    ],
}
ORDERS = {
    "name": "orders",
    "steps": {"shuffled": ["rain", {"op": "noise", "sigma": 15}, {"op": "haze", "level": 2}]},
    "pairs": 7,
}
REGIONS = {
    "name": "regions",
    "steps": {"some_of": ["haze", "raindrop", "low_light", "motion_blur"], "count": [0, 2]},
    "regions": {"count": [2, 4], "feather": [0, 12]},
}
SINGLE = {"name": "snow", "steps": ["snow"]}
MIXED = [SINGLE, WEATHER, ORDERS, REGIONS]
EVERY = [{"name": name, "steps": [name]} for name in OPERATIONS]
BUILDS = {
    "mixed": {"mixtures": MIXED, "limit": 4},
    "every operation": {"mixtures": EVERY, "shard_size": 120, "limit": 2},
    "random": {"mixtures": MIXED, "fit": "random", "limit": 4},
    "native": {"mixtures": MIXED, "fit": "native", "max_side": 80, "limit": 3},
    "redrawn": {"mixtures": [SINGLE, WEATHER], "redraws": 2, "moody": True},
    "grounds": {"mixtures": [REGIONS], "members": ["mask", "bits", "ground"]},
}


@pytest.fixture(scope="module", params=BUILDS, ids=str)
def build(request, photos, tmp_path_factory):
    root = tmp_path_factory.mktemp("replay") / "root"
    return request.param, build_recipes(photos, root, **BUILDS[request.param])


def rows_of(dataset, status="accepted"):
    return read_manifest(dataset.store.url, status=status).to_pylist()


def test_every_pair_is_made_again_to_the_byte(build):
    name, dataset = build
    rows, reader = rows_of(dataset), ShardReader(dataset.store.url)
    assert len(rows) > 5
    for row in rows:
        stored = read_pictures(reader, row)
        np.testing.assert_array_equal(clean_picture(dataset, row), stored["gt"])
        np.testing.assert_array_equal(remake(dataset, row, ENGINES), stored["lq"], row["key"])
        again = carry_out_again(Recipe.from_json(row["recipe"]), stored["gt"], ENGINES)
        np.testing.assert_array_equal(again, stored["lq"], row["key"])
    if name == "redrawn":
        assert {row["attempt"] for row in rows} == {0, 1, 2}
    if name in ("random", "mixed"):
        moved = [row for row in rows if row["view"] and json.loads(row["view"]).get("turns")]
        assert moved, "no view was turned"


def test_rejected_pairs_are_made_again_with_the_severity_that_was_measured(photos, tmp_path):
    bounds = {"mu_min": 0.1, "mu_max": 0.2, "structure_min": -1}
    dataset = build_recipes(
        photos, tmp_path / "root", mixtures=[WEATHER], redraws=1, limit=5, filter=bounds
    )
    rejected = rows_of(dataset, "rejected")
    assert {row["attempt"] for row in rejected} == {1}
    for row in rejected:
        made = remake(dataset, row, ENGINES)
        assert measure(made, clean_picture(dataset, row)).mu == pytest.approx(row["mu"], abs=1e-6)


def test_every_key_is_found_and_no_other(build):
    _, dataset = build
    rows = rows_of(dataset, None)
    for row in rows:
        assert find_row(dataset, row["key"])["key"] == row["key"]
    key = rows[0]["key"]
    for other in (f"{key}9", "a-haze-0", "zzzz-haze-0", "", "-", key.replace("-", "_")):
        with pytest.raises(ValueError, match=r"no pair .*keys are SOURCE-LABEL-NUMBER"):
            find_row(dataset, other)


def test_pairs_that_failed_say_why(photos, tmp_path):
    dataset = build_recipes(photos, tmp_path / "root", mixtures=[SINGLE])
    failed = rows_of(dataset, "failed")
    assert {row["reason"] for row in failed} == {"duplicate", "undecodable"}
    for row in failed:
        with pytest.raises(ValueError, match=f"{row['key']} was not made: {row['reason']}"):
            remake(dataset, row, ENGINES)


def test_a_photograph_that_is_gone_is_named(photos, tmp_path):
    clean = shutil.copytree(photos.parent, tmp_path / "photos")
    dataset = build_recipes(clean / photos.name, tmp_path / "root", mixtures=[SINGLE], limit=2)
    row = rows_of(dataset)[0]
    (clean / row["source_uri"]).write_text("no picture")
    for again in (lambda: remake(dataset, row, ENGINES), lambda: clean_picture(dataset, row)):
        with pytest.raises(ValueError, match=f"{row['key']}: undecodable"):
            again()
    (clean / row["source_uri"]).unlink()
    with pytest.raises(ValueError, match=f"{row['key']}: unreadable"):
        remake(dataset, row, ENGINES)
