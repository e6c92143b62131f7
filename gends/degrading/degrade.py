"""Degrade one picture by a mixture, without a build."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from gends.degrading.mixture import MixtureLike, drawer_of, mixture_of
from gends.models.parametric.engine import ParametricDegrader, renderer_of
from gends.models.pixels import Photo, to_uint8
from gends.pipeline.making.carry_out import Task, carry_out
from gends.pipeline.planning.recipe import Place
from gends.pipeline.seeds import draw_seed
from gends.pipeline.types import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class DegradedPicture:
    """What `degrade` makes of a picture."""

    lq: npt.NDArray[Any]
    """(H, W, 3), of the dtype that was given."""
    label: str
    """Name of the mixture; `mixture` where it has none."""
    steps: str
    """Names of the steps in order, with + between them and | between regions."""
    recipe: tuple[dict[str, Any], ...] = field(repr=False)
    """Everything drawn, as the column `recipe` of a manifest has it under `steps`."""


def degrade(picture: npt.NDArray[Any], mixture: MixtureLike, seed: int) -> DegradedPicture:
    """Degrade `picture` by a recipe that is drawn from `mixture` by `seed`.

    Equal arguments give equal results, in any process and on any machine of one kind. Of uint8
    pictures every step's result is rounded to 8 bits, as in a build. Of float32 pictures nothing is
    rounded or clipped between steps, nor at the end: noise that is not quantized stays as it is.

    Args:
        picture: RGB, (H, W, 3), uint8, or float32 in [0, 1].
        mixture: As under `mixtures:` in a configuration, `{"name": "weather", "steps": […]}`; its
            steps alone, `["haze", {"op": "noise", "sigma": [5, 25]}]`; or one operation, `"rain"`.
            Steps that a diffusion model paints are not for this.
        seed: Not negative.

    Raises:
        ValueError: a mixture that cannot be used, with the nearest right name; or a picture of
            another form.
    """
    _check(picture, seed)
    request, drawer = _request(mixture, seed)
    engine = ParametricDegrader()
    lq: npt.NDArray[Any]
    if picture.dtype == np.float32:
        lq, recipe = _in_numbers(picture, request, engine)
    else:
        task = Task(request=request, attempt=0, clean=picture, caption=None)
        (pair,) = carry_out({engine.engine: engine}, [task], drawer.config)
        lq, recipe = pair.lq, pair.steps
    return DegradedPicture(lq=lq, label=request.degradation, steps=request.steps, recipe=recipe)


def _check(picture: npt.NDArray[Any], seed: int) -> None:
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype not in (np.uint8, np.float32):
        raise ValueError(
            f"picture is {picture.dtype} {picture.shape}; give uint8, or float32 in [0, 1], of "
            "shape (H, W, 3)"
        )
    if not picture.size:
        raise ValueError(f"picture is {picture.shape}; it has no pixels")
    if picture.dtype == np.float32 and not (picture.min() >= -1 and picture.max() <= 2):
        raise ValueError(
            f"picture holds values from {picture.min():g} to {picture.max():g}; float32 pictures "
            "are in [0, 1], of which noise may go a little beyond: divide 8 bits by 255"
        )
    if not isinstance(seed, int | np.integer):
        raise ValueError(f"seed is {seed!r}; give a whole number")
    if seed < 0:
        raise ValueError(f"seed is {seed}; it must not be negative")


def _request(mixture: MixtureLike, seed: int) -> tuple[Request, Any]:
    drawer = drawer_of(mixture_of(mixture).model_dump_json())
    (wanted,) = drawer.config.wanted
    place = Place("picture", wanted.name, seed)
    regions, recipes = drawer.recipes(wanted, place, draw_seed(seed, "ordinal"))
    seeds = (draw_seed(seed, *place, 0),)
    request = Request(
        key="picture", degradation=wanted.name, recipes=recipes, regions=regions, seeds=seeds
    )
    return request, drawer


def _in_numbers(
    picture: Photo, request: Request, engine: ParametricDegrader
) -> tuple[Photo, tuple[dict[str, Any], ...]]:
    """The steps without rounding between; strengths that hit a severity are solved on bytes."""
    made, recipe = [], []
    for region, steps in enumerate(request.recipes):
        photo = picture
        for number in range(len(steps)):
            instruction = request.instruction(0, region, number, None)
            step = engine.degrade([to_uint8(photo)], [[instruction]])[0][0].step
            render, strength = renderer_of(step, photo, None)
            photo = render(strength)
            recipe.append(step | ({"region": region} if request.regions else {}))
        made.append(photo)
    if request.regions is None:
        return made[0], tuple(recipe)
    weights = request.regions.weights(picture.shape[:2])
    mixed = sum(w[..., np.newaxis] * p for w, p in zip(weights, made, strict=True))
    return np.asarray(mixed, np.float32), tuple(recipe)
