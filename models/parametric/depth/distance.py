"""Relative distance of what a picture shows: measured, or made from the picture itself."""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.depth.procedural import pseudo_depth
from gends.models.parametric.draw import uniform
from gends.models.parametric.operation import Parameters
from gends.models.parametric.parameter import Parameter
from gends.models.pixels import Photo, Plane

DISTANCE: dict[str, Parameter] = {
    "nearest": Parameter(meaning="distance of the nearest point, where the farthest has 1"),
    "horizon": Parameter(meaning="row of the horizon, without measured depth", unit="of height"),
    "ground": Parameter(meaning="weight of the ground plane against noise, without depth"),
    "cues": Parameter(meaning="weight of brightness and texture as depth, without depth"),
}
"""Declared by every operation that grows with distance."""


def draw_distance(rng: np.random.Generator, nearest: tuple[float, float]) -> Parameters:
    """Draw `DISTANCE`; the nearest point from the given range."""
    return {
        "nearest": uniform(rng, *nearest),
        "horizon": uniform(rng, 0.15, 0.55),
        "ground": uniform(rng, 0.5, 0.9),
        "cues": uniform(rng, 0.25, 0.65),
    }


def distance(
    image: Photo, parameters: Parameters, rng: np.random.Generator, depth: Plane | None
) -> Plane:
    """Distance in [nearest, 1], (H, W), of `depth`, or of a pseudo-depth where that is None."""
    if depth is None:
        shape = {name: parameters[name] for name in ("horizon", "ground", "cues")}
        depth = pseudo_depth(image, rng, **shape)
    elif depth.shape != image.shape[:2]:
        depth = np.asarray(cv2.resize(depth, image.shape[1::-1]), np.float32)
    nearest = np.float32(parameters["nearest"])
    return np.asarray(nearest + (1 - nearest) * depth, np.float32)
