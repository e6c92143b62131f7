"""Pairs on which a diffusion model painted are made again with all that it painted beside."""

from __future__ import annotations

import json

import numpy as np
import pytest
from recipe_build import build_recipes
from tiny_gendeg import TINY_MINI, tiny_model

from gends.models.gendeg.engine import GenDegDegrader
from gends.models.parametric.engine import ParametricDegrader
from gends.pipeline.format.recipe import Recipe
from gends.pipeline.keeping.replay import remake, replay_problem, why_not_replayed
from gends.pipeline.making.replay import carry_out_again, with_changes
from gends.pipeline.reading.reader import ShardReader, read_manifest, read_pictures

MIXTURES = [
    {"name": "painted", "steps": ["haze"]},
    {"name": "both", "steps": ["rain", {"op": "noise", "sigma": [5, 25]}]},
    {
        "name": "regions",
        "steps": [{"one_of": ["snow", {"op": "low_light", "strength": 0.4}]}, {"op": "jpeg"}],
        "regions": {"count": 2},
    },
    {"name": "physics", "steps": [{"op": "rain", "strength": 0.5}, "defocus"]},
]


@pytest.fixture(scope="module")
def engines():
    painter = GenDegDegrader(tiny_model(TINY_MINI), micro_batch=4)
    return {"gendeg": painter, "parametric": ParametricDegrader(candidates=1)}


@pytest.fixture(scope="module")
def build(engines, photos, tmp_path_factory):
    """Several pairs to a batch, and some that are drawn again without their neighbours."""
    return build_recipes(
        photos,
        tmp_path_factory.mktemp("painted") / "root",
        engines,
        engine="gendeg",
        mixtures=MIXTURES,
        limit=4,
        redraws=2,
        moody=True,
    )


@pytest.fixture(scope="module")
def rows(build):
    return read_manifest(build.store.url).to_pylist()


def test_every_pair_is_made_again_to_the_byte(build, rows, engines):
    reader = ShardReader(build.store.url)
    assert {"gendeg", "gendeg+parametric", "parametric"} <= {row["engine"] for row in rows}
    assert {row["attempt"] for row in rows if "gendeg" in row["engine"]} == {0, 1, 2}
    for row in rows:
        stored = read_pictures(reader, row)["lq"]
        np.testing.assert_array_equal(remake(build, row, engines), stored, row["key"])


def test_a_recipe_with_a_painted_step_goes_onto_another_picture(rows, engines):
    row = next(row for row in rows if row["degradation"] == "both")
    recipe = Recipe.from_json(row["recipe"])
    other = np.random.default_rng(0).integers(0, 256, (72, 96, 3), np.uint8)
    made = carry_out_again(recipe, other, engines, row["caption"])
    assert made.shape == other.shape
    changed = with_changes(recipe, {"rain.mu": 0.5, "2.sigma": 10})
    assert changed.steps[0]["mu_target"] == 0.5
    assert (carry_out_again(changed, other, engines, row["caption"]) != made).any()


def test_only_pairs_of_operations_alone_are_checked_against_their_gt(build, rows):
    assert why_not_replayed(build) is None
    reader = ShardReader(build.store.url)
    checked = set()
    for row in rows:
        images = {part: bytes(data) for part, data in reader.read_pair(row).items()}
        assert replay_problem(row, images) is None
        if replay_problem(row, images | {"lq": images["gt"]}):
            checked.add(row["engine"])
    assert checked == {"parametric"}
    assert json.loads(rows[0]["recipe"])["steps"]
