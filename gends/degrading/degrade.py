"""Degrade one picture by a mixture, without a build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from gends.histograms.profile import Profile, load_profile
from gends.models.degrader import Image
from gends.models.parametric.engine import ParametricDegrader
from gends.models.pixels import Photo
from gends.pipeline.making.carry_out import Task, carry_out
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.planning.config_file import load_config
from gends.pipeline.planning.mixture import MixtureConfig, engine_of
from gends.pipeline.planning.recipe import Place, RecipeDrawer
from gends.pipeline.seeds import draw_seed
from gends.pipeline.types import Request, Step

MixtureLike: TypeAlias = MixtureConfig | Mapping[str, Any] | Sequence[Any] | str
"""A mixture, its keys as in a configuration, its steps alone, or the name of one operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DegradedPicture:
    """What `degrade` makes of a picture."""

    lq: npt.NDArray[Any]
    """(H, W, 3), of the dtype that was given."""
    label: str
    """Name of the mixture; of steps alone `mixture`, of one operation its name."""
    steps: str
    """Names of the steps in order, with + between them and | between regions."""
    mask: npt.NDArray[np.uint8] | None
    """Which degradation is where, uint8 (H, W): see docs/dataset-format.md. None: everywhere the
    same."""
    recipe: tuple[dict[str, Any], ...] = field(repr=False)
    """Everything drawn, as the column `recipe` of a manifest holds it under `steps`."""


def degrade(picture: npt.NDArray[Any], mixture: MixtureLike, seed: int) -> DegradedPicture:
    """Degrade `picture` by a recipe that is drawn from `mixture` by `seed`.

    Equal arguments give equal results, on any machine of one kind and in any process. Of uint8
    pictures every step's result is rounded to 8 bits, as in a build. Of float32 pictures nothing is
    rounded or clipped between steps, nor at the end: noise that is not quantized stays so.

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
    _check_picture(picture)
    config, drawer = _prepared(_frozen(mixture_of(mixture)))
    (wanted,) = config.wanted
    place = Place("picture", wanted.name, seed)
    ordinal = draw_seed(seed, wanted.name, "ordinal")
    regions, recipes = drawer.recipes(wanted, place, ordinal)
    request = Request(
        key="picture",
        degradation=wanted.name,
        recipes=recipes,
        regions=regions,
        seeds=(draw_seed(seed, *place, 0),),
    )
    if picture.dtype == np.uint8:
        task = Task(request=request, attempt=0, clean=picture, caption=None)
        (pair,) = carry_out({"parametric": ParametricDegrader()}, [task], config)
        return DegradedPicture(
            lq=pair.lq,
            label=wanted.name,
            steps=request.steps,
            mask=pair.mask,
            recipe=pair.steps,
        )
    raise NotImplementedError
