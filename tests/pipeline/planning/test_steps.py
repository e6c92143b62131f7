from __future__ import annotations

import pytest

from gends.models.degradations import DEGRADATIONS
from gends.models.parametric.catalog import OPERATIONS
from gends.pipeline.planning.config import ConfigError
from gends.pipeline.planning.config_file import load_config
from gends.pipeline.planning.steps import SomeOf, StepTemplate, parse_steps, settable

pytestmark = pytest.mark.usefixtures("made_up")


def refusal(tmp_path, step: str, head: str = "") -> str:
    """What is said of a configuration whose line 5 is this step."""
    path = tmp_path / "build.yaml"
    path.write_text(
        f"{head or 'seed: 1'}\nmixtures:\n  - name: mixed\n    steps:\n      - {step}\n"
        "      - haze\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("step", "place", "says"),
    [
        ("hase", "[0].op", "unknown operation 'hase'; did you mean 'haze'?"),
        ("zzz", "[0].op", "unknown operation 'zzz'; known: "),
        ("{op: grian}", "[0].op", "unknown operation 'grian'; did you mean 'grain'?"),
        ("{op: 3}", "[0].op", "unknown operation '3'"),
        ("{op: null}", "[0].op", "unknown operation 'None'"),
        ("{size: 2}", "[0]", "no op here, but size; give a name, {op: NAME, …}"),
        ("3", "[0]", "give a name, {op: NAME, …}, {one_of: […]} or"),
        ("[haze]", "[0]", "give a name, {op: NAME, …}"),
        ("{op: grain, sise: 2}", "[0].sise", "unknown parameter of grain 'sise'; did you mean "),
        ("{op: grain, zzz: 2}", "[0].zzz", "unknown parameter of grain 'zzz'; known: op, engine"),
        ("{op: grain, size: 9}", "[0].size", "grain: size is 9; it must lie from 0.5 to 4 px"),
        ("{op: grain, size: [3, 1]}", "[0].size", "grain: size is [3, 1]; the lower end comes fir"),
        ("{op: grain, size: [1, 9]}", "[0].size", "grain: size is 9; it must lie"),
        ("{op: grain, kind: {choice: [gray, red]}}", "[0].kind", "kind is 'red'; give gray or co"),
        ("{op: grain, number: 1.5}", "[0].number", "number is 1.5; give a whole number from 1 to"),
        ("{op: grain, tint: [1, 1]}", "[0].tint", "give a list of 3 numbers"),
        ("{op: grain, grains: 300}", "[0].grains", "grain: grains is 300; it must lie from 0 to"),
        ("{op: grain, strength: 2}", "[0].strength", "grain: strength is 2; it must lie from 0"),
        ("{op: grain, level: 0}", "[0].level", "level is 0; it must lie from 1 to 10"),
        ("{op: grain, level: 11}", "[0].level", "level is 11; it must lie from 1 to 10"),
        ("{op: grain, mu: 0}", "[0].mu", "mu is 0; it must lie from 0.001"),
        ("{op: grain, mu: 1.5}", "[0].mu", "mu is 1.5; it must lie"),
        ("{op: grain, probability: 1.5}", "[0].probability", "probability is 1.5; it must lie"),
        ("{op: grain, probability: 0}", "[0].probability", "probability is 0; leave the step out"),
        ("{op: grain, version: 1}", "[0].version", "versions stand in recipes; a mixture uses"),
        ("{op: grain, probability: yes}", "[0].probability", "probability is True; give a number"),
        (
            "{op: grain, mu: 0.1, strength: 0.5}",
            "[0]",
            "grain is given mu and strength, which all say how strong; give one",
        ),
        ("{op: grain, grains: 9, level: 2}", "[0]", "grain is given level and grains, which"),
        ("{op: grain, strength: 1, level: 2}", "[0]", "grain is given strength and level, which"),
        ("{op: grain, sigma: 0.1}", "[0].sigma", "grain: sigma needs a mu beside it"),
        ("{op: haze, engine: gan}", "[0].engine", "unknown engine 'gan'; known: gendeg, param"),
        ("{op: haze, engine: gendge}", "[0].engine", "did you mean 'gendeg'?"),
        ("{op: grain, engine: gendeg}", "[0].engine", "grain has a formula only"),
        ("{op: haze, engine: gendeg, strength: 1}", "[0].strength", "unknown parameter of haze"),
        ("{one_of: haze}", "[0].one_of", "give a list of steps, each a name"),
        ("{one_of: []}", "[0].one_of", "give a list of steps"),
        ("{one_of: [rain, snwo]}", "[0].one_of[1].op", "did you mean 'snow'?"),
        ("{one_of: [rain], count: 2}", "[0].count", "unknown key 'count'"),
        ("{some_of: [rain, snow]}", "[0].count", "count is None; give how many of these 2"),
        ("{some_of: [rain, snow], count: 3}", "[0].count", "count is 3; give how many of these 2"),
        ("{some_of: [rain, snow], count: [2, 1]}", "[0].count", "count is [2, 1]; give how many"),
        ("{some_of: [rain, snow], count: 1.5}", "[0].count", "count is 1.5; give how many"),
        ("{some_of: [rain, snow], count: true}", "[0].count", "count is True; give how many"),
        ("{some_of: [rain], count: 1, op: haze}", "[0].op", "unknown key 'op'"),
        ("{some_of: [{one_of: [fog]}], count: 1}", "[0].some_of[0].one_of[0].op", "'fog'"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place_and_line(tmp_path, step, place, says):
    message = refusal(tmp_path, step)
    assert message.startswith(f"mixtures[0].steps{place}: ")
    assert says in message
    assert message.endswith(" in line 5")


@pytest.mark.parametrize("steps", ["[]", "3", "null", "{shuffled: []}", "{shuffled: haze}"])
def test_no_steps_are_refused(tmp_path, steps):
    path = tmp_path / "build.yaml"
    path.write_text(f"mixtures:\n  - name: mixed\n    steps: {steps}\n")
    with pytest.raises(ConfigError, match=r"mixtures\[0\].steps.* give a list of steps.* in line"):
        load_config(path, {})


@pytest.mark.parametrize(
    "steps", [["rain", {"one_of": ["haze", "snow"]}], ["rain", {"op": "haze", "probability": 0.5}]]
)
def test_shuffled_steps_are_always_there(steps):
    with pytest.raises(ValueError, match="shuffled steps are single ones that are always there"):
        parse_steps({"shuffled": steps})


def test_steps_are_read_as_they_are_written():
    steps = parse_steps(
        [
            "haze",
            {"op": "grain", "size": [1, 2], "probability": 0.25, "engine": "parametric"},
            {"some_of": ["rain", {"one_of": ["snow", "raindrop"]}], "count": [0, 1]},
        ]
    )
    haze, grain, some = steps.entries
    assert haze == StepTemplate(op="haze")
    assert (grain.op, grain.engine, grain.probability) == ("grain", "parametric", 0.25)
    assert grain.values["size"].span == (1, 2)
    assert isinstance(some, SomeOf)
    assert (some.count, some.entries[1].count) == ((0, 1), (1, 1))
    names = ["haze", "grain", "rain", "snow", "raindrop"]
    assert [template.op for template in steps.templates] == names
    assert list(some.ops) == names[2:]
    assert not steps.shuffled
    assert parse_steps("haze").entries == (haze,)
    assert parse_steps({"op": "haze"}).entries == (haze,)
    assert parse_steps({"shuffled": ["haze", "rain"]}).shuffled


@pytest.mark.parametrize("way", ["strength", "level", "grains", "mu"])
def test_each_way_of_strength_is_enough_by_itself(way):
    value = {"strength": 0.5, "level": 3, "grains": 50, "mu": 0.1}[way]
    (step,) = parse_steps({"op": "grain", way: value}).entries
    assert set(step.values) == {way}


def test_every_kind_that_the_model_paints_has_an_operation():
    """`settable` looks each step's operation up, whoever carries it out."""
    assert set(DEGRADATIONS) <= set(OPERATIONS)
    for op in OPERATIONS:
        assert {"mu", "sigma", "strength", "level"} <= set(settable(op))
        scale = OPERATIONS[op].scale
        assert scale is None or scale.name in settable(op)
        assert set(OPERATIONS[op].parameters) <= set(settable(op))
