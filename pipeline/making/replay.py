"""Carry out a stored recipe again: on its own picture, or on any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gends.models.degrader import Image, Instruction
from gends.models.parametric.catalog import OPERATIONS
from gends.pipeline.format.recipe import Recipe
from gends.pipeline.making.carry_out import Engines
from gends.pipeline.names import unknown
from gends.pipeline.planning.steps import SEVERITY, settable

CHANGEABLE_OF_MODEL = ("mu", "sigma", "seed")
MOST_SEED = 2**63 - 1
"""What every generator of random numbers takes."""


def carry_out_again(
    recipe: Recipe, picture: Image, engines: Engines, caption: str | None = None
) -> Image:
    """Do to `picture`, uint8 (H, W, 3), what the recipe says; the degraded picture.

    Operations have the stored parameters, strength and seed, whatever severity that gives; a model
    paints with the stored severity and seed.

    Raises:
        ValueError: an operation, or its version, is not of this installation.
    """
    count = 1 if recipe.regions is None else recipe.regions.count
    made = []
    for region in range(count):
        degraded = picture
        for step in recipe.of_region(region):
            if (engine := engines.get(step["engine"])) is None:
                raise ValueError(f"{step['op']} was made by {step['engine']}, which is not here")
            instruction = _instruction(step, caption)
            degraded = engine.degrade([degraded], [[instruction]])[0][0].lq
        made.append(degraded)
    return made[0] if recipe.regions is None else recipe.regions.composite(made)


def _instruction(step: Mapping[str, Any], caption: str | None) -> Instruction:
    if step["engine"] == "parametric":
        return Instruction(degradation=step["op"], seed=step["seed"], made=step)
    return Instruction(
        degradation=step["op"],
        mu=step["mu_target"],
        sigma=step["sigma_target"],
        seed=step["seed"],
        caption=caption,
    )


def with_changes(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The recipe with other values: `{"rain.strength": 0.4, "2.sigma": 25}`.

    Before the dot stands an operation, whose every step is changed, or the number of a step, from
    1. After it stands `strength`, what the strength stands for, a parameter or `seed`; of a step
    that a model painted `mu`, `sigma` or `seed`.

    Raises:
        ValueError: there is no such step or parameter, or the value lies out of range.
    """
    steps = [dict(step) for step in recipe.steps]
    for name, value in changes.items():
        whose, _, what = name.partition(".")
        chosen = [
            step for number, step in enumerate(steps, 1) if whose in (step["op"], str(number))
        ]
        if not chosen or not what:
            known = [*dict.fromkeys(step["op"] for step in steps)]
            raise ValueError(
                f"{name!r}: {unknown(whose, known, 'step')}; write OPERATION.PARAMETER, or the "
                f"number of a step, 1 to {len(steps)}, before the dot"
            )
        for step in chosen:
            _change(step, what, value)
    return replace(recipe, steps=tuple(steps))


def _change(step: dict[str, Any], what: str, value: Any) -> None:
    if step["engine"] != "parametric":
        if what not in CHANGEABLE_OF_MODEL:
            raise ValueError(unknown(what, CHANGEABLE_OF_MODEL, f"value of {step['op']}"))
        if what == "seed":
            step["seed"] = _seed(step, value)
        else:
            SEVERITY[what].check(f"{step['op']}.{what}", value)
            step[f"{what}_target"] = value
        return
    op = step["op"]
    known = {name: p for name, p in settable(op).items() if name in step["parameters"]}
    scale = OPERATIONS[op].scale
    if scale is not None:
        known[scale.name] = scale.parameter()
    if what == "seed":
        step["seed"] = _seed(step, value)
    elif what not in known:
        raise ValueError(unknown(what, [*known, "seed"], f"parameter of {op}"))
    else:
        known[what].check(f"{op}.{what}", value)
        is_scale = scale is not None and what == scale.name
        change = {"strength": scale.strength(value)} if scale and is_scale else {what: value}
        step["parameters"] = {**step["parameters"], **change}


def _seed(step: Mapping[str, Any], value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MOST_SEED:
        raise ValueError(
            f"{step['op']}.seed is {value!r}; give a whole number from 0 to {MOST_SEED}"
        )
    return value
