"""The recipes of examples/recipes are read, planned and built."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml

from gends.models.dry import DryDegrader
from gends.models.parametric.engine import ParametricDegrader
from gends.pipeline.keeping.commit import write_unit
from gends.pipeline.keeping.verify import verify
from gends.pipeline.making.judge import Judge
from gends.pipeline.making.load import load_views
from gends.pipeline.making.unit import make_unit
from gends.pipeline.planning.config_file import load_config

RECIPES = sorted((Path(__file__).parents[2] / "examples" / "recipes").glob("*.yaml"))
SMALL = {"resolution": 64, "min_side": 16, "limit": 2, "shard_size": 1000, "redraws": 3}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_read(recipe):
    config = load_config(recipe, {})
    assert config.mixtures
    assert config.engine == ("gendeg" if recipe.stem == "gendeg-physics" else "parametric")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_builds_what_it_plans(recipe, found_dataset, seal_shard, photos, tmp_path):
    settings = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    for mixture in settings["mixtures"]:
        if "pairs" in mixture:
            mixture["pairs"] = 6
    dataset = found_dataset(photos, tmp_path / "root", **settings | SMALL)
    # Where the recipe asks for the diffusion model, an engine without weights stands in for it.
    engines = {"parametric": ParametricDegrader(), "gendeg": DryDegrader()}
    rows = []
    for unit in dataset.plan.units(0):
        loaded = load_views(unit.views, dataset.base, dataset.config)
        made = make_unit(unit, loaded, engines, Judge(dataset.config.filter), dataset.config)
        write_unit(dataset.store, unit.shard, unit.index, made)
        rows += made
    seal_shard(dataset, 0)
    assert dict(verify(dataset)) == {0: []}
    assert {row["degradation"] for row in rows} == {m["name"] for m in settings["mixtures"]}
    assert {row["status"] for row in rows} <= {"accepted", "rejected"}
    if recipe.stem.startswith("defusion"):
        assert sorted(Counter(row["steps"] for row in rows).values()) == [1] * 6
