from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import yaml

from gends.models.parametric import levels
from gends.models.parametric.catalog import OPERATIONS
from gends.models.parametric.operation import Operation
from gends.models.parametric.parameter import Parameter, Scale


@pytest.fixture
def grain(monkeypatch: pytest.MonkeyPatch) -> Operation:
    """An operation that has one of everything there is to say."""

    def draw(rng: np.random.Generator) -> dict[str, object]:
        return {"colour": "gray", "tint": [0.1, 0.2, 0.3]}

    made = replace(
        OPERATIONS["low_light"],
        name="grain",
        summary="grain of film",
        source="our reading",
        parameters={
            "colour": Parameter(meaning="of one colour or of three", choices=("gray", "colour")),
            "tint": Parameter(meaning="of each channel", high=0.5, unit="of white", size=3),
        },
        draw=draw,
        scale=Scale(name="sigma", meaning="spread", zero=0, full=80, unit="of 255"),
        needs_depth=True,
        is_local=True,
    )
    monkeypatch.setitem(OPERATIONS, "grain", made)
    measured = replace(levels.stored_levels()["low_light"], usual=made.usual)
    monkeypatch.setattr(levels, "stored_levels", lambda: {"grain": measured})
    return made


def test_all_operations_are_listed_under_their_stage(cli: Callable):
    told = cli("operations")
    assert told.code == 0
    lines = told.out.splitlines()
    names = [line.split()[0] for line in lines if line.strip()]
    rows = [line.split()[0] for line in lines if re.match(r"  \S", line)]
    assert [name for name in rows if name in OPERATIONS] == list(OPERATIONS)
    stages = [n.rstrip(":") for n in names if n in {"scene:", "lens:", "sensor:", "coding:"}]
    assert stages == list(dict.fromkeys(o.stage for o in OPERATIONS.values()))


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_everything_about_one_is_told(cli: Callable, name: str):
    told = cli("operations", name, "--json")
    one = json.loads(told.out)
    operation = OPERATIONS[name]
    assert (one["name"], one["version"], one["source"]) == (
        name,
        operation.version,
        operation.source,
    )
    assert list(one["parameters"]) == list(operation.parameters)
    assert [level["level"] for level in one["levels"]] == list(range(1, 11))
    shown = " ".join(cli("operations", name).out.split())
    assert operation.summary in shown
    assert all(parameter in shown for parameter in operation.parameters)


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_the_example_is_a_step_that_can_be_set(cli: Callable, name: str):
    (step,) = yaml.safe_load(json.loads(cli("operations", name, "--json").out)["example"])["steps"]
    operation = OPERATIONS[name]
    assert step.pop("op") == name
    if "level" in step:
        assert step.pop("level") == [3, 7]
    assert set(step) <= set(operation.settable())
    for key, value in step.items():
        if operation.scale and key == operation.scale.name:
            low, high = value
            assert low < high
            assert all(0 < operation.scale.strength(end) <= 1 for end in value)
        else:
            operation.parameters[key].check(key, value)


def test_scale_parameters_depth_and_mask_are_in_words(cli: Callable, grain: Operation):
    shown = cli("operations", "grain").out
    assert "sigma, spread, 0 to 80 of 255" in shown
    assert "gray, colour" in shown
    assert "0 to 0.5 of white, 3 numbers" in shown
    assert "asks how far things are" in shown
    assert "can say where it is" in shown
    assert "{op: grain, sigma: [" in shown
    assert "colour: gray}" in shown
    listed = " ".join(cli("operations").out.split())
    mu = levels.stored_levels()["grain"].mu
    assert f"grain {mu[0]:.3f}-{mu[-1]:.3f} sigma grain of film [depth, mask]" in listed


def test_an_operation_that_is_not_measured_says_how(cli: Callable, grain: Operation, monkeypatch):
    monkeypatch.setattr(levels, "stored_levels", lambda: {})
    assert "not measured" in cli("operations").out
    assert "calibrate PHOTOS" in " ".join(cli("operations", "grain").out.split())
    assert json.loads(cli("operations", "grain", "--json").out)["levels"] is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("motion-blur", "did you mean 'motion_blur'?"),
        ("HAZE", "did you mean 'haze'?"),
        ("qqqq", "there are shadow, haze"),
    ],
)
def test_an_unknown_name_is_refused(cli: Callable, given: str, told: str):
    ended = cli("operations", given)
    assert ended.code == 2
    assert told in ended.err


def test_all_are_told_to_programs(cli: Callable):
    described = json.loads(cli("operations", "--json").out)["operations"]
    assert [one["name"] for one in described] == list(OPERATIONS)
