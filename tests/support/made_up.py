"""Operations of no release, whose values and changes are plain numbers."""

from __future__ import annotations

import numpy as np

from gends.models.parametric.levels import LEVELS, Levels
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter, Scale
from gends.models.pixels import Photo


def _lighter(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Adds 0.2 of strength everywhere."""
    return lambda strength: np.asarray(np.clip(image + np.float32(0.2 * strength), 0, 1))


def _spotted(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Adds 0.5 of strength in the left third, and a tenth of a level elsewhere."""
    where = np.full(image.shape, 0.0004, np.float32)
    where[:, : image.shape[1] // 3] = 0.5
    return lambda strength: np.asarray(np.clip(image + where * np.float32(strength), 0, 1))


GRAIN = Operation(
    name="grain",
    label=31,
    version=4,
    stage="coding",
    summary="everything lighter",
    source="none",
    parameters={
        "size": Parameter(meaning="width", low=0.5, high=4, unit="px"),
        "kind": Parameter(meaning="of colours", choices=("gray", "colour")),
        "number": Parameter(meaning="how many", low=1, high=9, is_whole=True),
        "tint": Parameter(meaning="red, green, blue", size=3),
    },
    draw=lambda rng: {
        "size": float(rng.uniform(1, 2)),
        "kind": "gray",
        "number": 3,
        "tint": [1] * 3,
    },
    prepare=_lighter,
    usual=(0.25, 0.75),
    scale=Scale(name="grains", meaning="of an area", zero=200, full=0, is_whole=True),
)
SPOT = Operation(
    name="spot",
    label=32,
    version=1,
    stage="lens",
    summary="the left third lighter",
    source="none",
    parameters={},
    draw=lambda rng: {},
    prepare=_spotted,
    usual=(0.5, 1.0),
    is_local=True,
)


def levels_of_made_up(operation: Operation) -> Levels:
    """Ten even levels; what they measure is as made up as the operation."""
    strengths = tuple(float(s) for s in np.linspace(*operation.usual, LEVELS))
    return Levels(
        version=operation.version,
        usual=operation.usual,
        photographs=1,
        seeds=1,
        strengths=strengths,
        mu=tuple(0.2 * strength for strength in strengths),
        sigma=(0.0,) * LEVELS,
        reach=0.2,
    )
