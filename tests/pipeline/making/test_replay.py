"""Stored recipes, changed and carried out on other pictures; what cannot be done is said."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image as Pillow

from gends.models.degrader import Instruction
from gends.models.parametric.catalog import OPERATIONS
from gends.models.parametric.engine import ParametricDegrader
from gends.pipeline.format.recipe import Recipe
from gends.pipeline.making.replay import carry_out_again, with_changes

ENGINE = ParametricDegrader()
ENGINES = {"parametric": ENGINE}


def made_step(op, picture, **instruction):
    wanted = Instruction(degradation=op, seed=5, **({"strength": 0.4} | instruction))
    ((degraded,),) = ENGINE.degrade([picture], [[wanted]])
    return {"op": op, "engine": "parametric", "mu": 0.1, "sigma": 0.1, **degraded.step}


@pytest.fixture(scope="module")
def picture(photographs):
    return np.asarray(Pillow.fromarray(photographs["astronaut"]).resize((96, 80)))


@pytest.fixture(scope="module")
def recipe(picture):
    ops = ("rain", "haze", "noise", "rain")
    return Recipe(steps=tuple(made_step(op, picture) for op in ops))


PAINTED = {
    **{"op": "haze", "engine": "gendeg", "seed": 7, "mu": 0.11, "sigma": 0.08},
    **{"mu_target": 0.1, "sigma_target": 0.07},
}


def strengths(recipe):
    return [step["parameters"]["strength"] for step in recipe.steps]


def test_json_and_back(recipe):
    text = json.dumps({"steps": recipe.steps, "regions": None}).replace(', "regions": null', "")
    assert Recipe.from_json(text) == recipe
    assert recipe.engines == ("parametric",)


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "null", "1", '"steps"', "{}", '{"steps": 3}', '{"steps": null}', "{"),
        '{"steps": [], "regions": {"count": 99, "shape": "voronoi", "seed": 1}}',
        '{"steps": [], "regions": {"counts": 2}}',
        '{"steps": [3]}',
        '{"steps": [{"op": "haze"}]}',
        '{"steps": ["haze"]}',
        '{"steps": {"op": "haze", "engine": "parametric"}}',
        None,
    ],
)
def test_what_is_no_recipe_is_refused(text):
    with pytest.raises(ValueError, match="no recipe"):
        Recipe.from_json(text)


@pytest.mark.parametrize("size", [(64, 64), (200, 120), (97, 151)])
@pytest.mark.parametrize("op", OPERATIONS)
def test_a_step_on_a_picture_of_another_size(picture, photographs, op, size):
    other = np.asarray(Pillow.fromarray(photographs["coffee"]).resize(size))
    recipe = Recipe(steps=(made_step(op, picture),))
    made = carry_out_again(recipe, other, ENGINES)
    assert (made.shape, made.dtype) == (other.shape, np.uint8)
    np.testing.assert_array_equal(made, carry_out_again(recipe, other, ENGINES))


def test_changes_reach_the_steps_that_they_name_and_no_others(recipe):
    old = strengths(recipe)
    assert strengths(with_changes(recipe, {"rain.strength": 0.7})) == [0.7, *old[1:3], 0.7]
    assert strengths(with_changes(recipe, {"4.strength": 0.7})) == [*old[:3], 0.7]
    assert strengths(with_changes(recipe, {"rain.strength": 0.7, "1.strength": 0})) == [
        *(0, *old[1:3], 0.7)
    ]
    assert strengths(recipe) == old
    assert with_changes(recipe, {}) == recipe
    assert [s["seed"] for s in with_changes(recipe, {"2.seed": 9}).steps][1] == 9


def test_a_scale_is_turned_into_strength(recipe):
    scale = OPERATIONS["noise"].scale
    changed = with_changes(recipe, {"noise.sigma": 25})
    assert strengths(changed)[2] == scale.strength(25)
    assert "sigma" not in changed.steps[2]["parameters"]


def test_every_parameter_of_every_operation_can_be_set_to_what_it_was(picture):
    for op in OPERATIONS:
        recipe = Recipe(steps=(made_step(op, picture),))
        parameters = recipe.steps[0]["parameters"]
        assert with_changes(recipe, {f"{op}.{k}": v for k, v in parameters.items()}) == recipe


def test_a_stronger_step_changes_more(recipe, picture):
    one = Recipe(steps=recipe.steps[1:2])
    made = [carry_out_again(with_changes(one, {"1.strength": s}), picture, ENGINES) for s in (0, 1)]
    np.testing.assert_array_equal(made[0], picture)
    assert np.abs(made[1].astype(int) - picture).mean() > 5


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("rian.strength", 0.5, "'rian.strength': unknown step 'rian'; did you mean 'rain'?"),
        ("5.strength", 0.5, "number of a step, 1 to 4"),
        ("0.strength", 0.5, "number of a step, 1 to 4"),
        ("haze", 0.5, "write OPERATION.PARAMETER"),
        (".strength", 0.5, "write OPERATION.PARAMETER"),
        ("haze.strenght", 0.5, "unknown parameter of haze 'strenght'; did you mean 'strength'?"),
        ("haze.mu", 0.2, "unknown parameter of haze 'mu'"),
        ("haze.level", 2, "unknown parameter of haze 'level'"),
        ("noise.sigma", 1e9, "noise.sigma is 1000000000.0; it must lie from"),
        ("haze.strength", 1.5, "haze.strength is 1.5; it must lie from 0 to 1"),
        ("haze.strength", "much", "haze.strength is 'much'; give a number"),
        ("haze.strength", None, "haze.strength is None; give a number"),
        ("haze.strength", True, "haze.strength is True; give a number"),
        ("haze.strength", float("nan"), "haze.strength is nan; it must lie"),
        *(("haze.seed", value, "haze.seed is") for value in (-1, 0.5, "x", None, True, 2**64)),
    ],
)
def test_changes_that_cannot_be_are_refused(recipe, name, value, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        with_changes(recipe, {name: value})


def test_a_painted_step_is_told_other_severities():
    recipe = Recipe(steps=(PAINTED,))
    (changed,) = with_changes(recipe, {"haze.mu": 0.2, "1.sigma": 0.03, "haze.seed": 2}).steps
    assert (changed["mu_target"], changed["sigma_target"], changed["seed"]) == (0.2, 0.03, 2)
    for name, value, words in (
        ("haze.mu", 2, "haze.mu is 2; it must lie"),
        ("haze.sigma", -0.1, "haze.sigma is -0.1; it must lie"),
        ("haze.strength", 0.1, "unknown value of haze 'strength'"),
        ("haze.sede", 1, "did you mean 'seed'?"),
        ("haze.seed", "x", "haze.seed is 'x'"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            with_changes(recipe, {name: value})


def test_a_painted_step_needs_its_model(picture):
    with pytest.raises(ValueError, match="haze was made by gendeg, which is not here"):
        carry_out_again(Recipe(steps=(PAINTED,)), picture, ENGINES)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 99}, "made by version 99 of haze"),
        ({"op": "fog"}, "fog"),
        ({"depth": "some-model"}, "estimated by some-model, and here by no model"),
    ],
)
def test_steps_of_other_installations_are_refused(picture, change, words):
    step = made_step("haze", picture) | change
    with pytest.raises(ValueError, match=words):
        carry_out_again(Recipe(steps=(step,)), picture, ENGINES)
