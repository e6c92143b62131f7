"""Sandstorm: dust in the air, which takes away blue before red and drifts in clouds.

I_c = J_c·t_c + A_c·(1 − t_c), t_c = exp(−β_c·d), on display values as haze is; the airlight is
yellow to brown, and β rises from red to blue. Grains near the lens cover points of the picture with
the colour of the air. All parts pull each pixel towards the airlight, so severity grows everywhere.
"""

from __future__ import annotations

import numpy as np

from gends.models.parametric.depth.distance import DISTANCE, distance, draw_distance
from gends.models.parametric.draw import uniform
from gends.models.parametric.fields.plasma import plasma
from gends.models.parametric.fields.specks import disc, scatter
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter, Scale
from gends.models.pixels import Photo, Plane

VERSION = 1

DENSEST = 4.0
"""β of red at strength 1 for the farthest point."""
GRAINS = 20000
"""Grains on a square picture where `grains` is 1."""


def draw(rng: np.random.Generator) -> Parameters:
    """Draw the colour of the dust, its attenuation by channel, geometry, clouds and grains.

    Airlight from pale yellow to brown; β of green and blue about 1.25 and 1.6 times that of red.
    """
    bright = uniform(rng, 0.0, 1.0)
    level = np.array([0.7, 0.52, 0.3]) + bright * np.array([0.25, 0.26, 0.28])
    return {
        "airlight": [round(float(c) + uniform(rng, -0.03, 0.03), 4) for c in level],
        "attenuation_ratio": [1.0, uniform(rng, 1.1, 1.4), uniform(rng, 1.4, 1.9)],
        **draw_distance(rng, (0.15, 0.5)),
        "patchiness": uniform(rng, 0.2, 1.0),
        "grains": uniform(rng, 0.0, 1.0),
    }


def prepare(
    image: Photo, parameters: Parameters, seed: int, depth: Plane | None = None
) -> Renderer:
    """Lay the depth, the clouds and the grains; the renderer makes them dense."""
    rng = np.random.default_rng(seed)
    thickness = distance(image, parameters, rng, depth)
    clouds = plasma(thickness.shape, rng, cells=2.5, octaves=5)
    thickness *= 1 + np.float32(parameters["patchiness"]) * (clouds - np.float32(0.5))
    grains = _grains(image, parameters["grains"], rng)
    airlight = np.array(parameters["airlight"], np.float32)
    ratio = np.array(parameters["attenuation_ratio"], np.float32)

    def render(strength: float) -> Photo:
        beta = np.float32(-DENSEST * strength) * ratio
        clear = np.exp(thickness[..., np.newaxis] * beta)
        if grains is not None:
            clear *= (1 - np.float32(strength) * grains)[..., np.newaxis]
        return np.asarray(airlight + (image - airlight) * clear, np.float32)

    return render


def _grains(image: Photo, amount: float, rng: np.random.Generator) -> Plane | None:
    if not amount:
        return None
    size, side = image.shape[:2], min(image.shape[:2])
    count = amount * GRAINS * max(size) / side * min(1.0, (side / 512) ** 2)
    fine = scatter(size, disc(max(0.0016 * side, 0.8), 1.2), count, rng, faintest=0.1)
    coarse = scatter(size, disc(max(0.003 * side, 0.9), 1.5), count / 40, rng, faintest=0.1)
    return np.asarray(np.float32(0.6) * np.maximum(fine, coarse), np.float32)


SANDSTORM = Operation(
    name="sandstorm",
    label=11,
    version=VERSION,
    stage="scene",
    summary="dust in the air, which takes away blue before red, and its grains",
    source="I = J·t + A·(1 − t) with β by channel; colours and ratios are our reading",
    parameters={
        "airlight": Parameter(meaning="colour of dust of endless depth", size=3),
        "attenuation_ratio": Parameter(
            meaning="β of red, green and blue, in units of beta", low=0.1, high=4, size=3
        ),
        **DISTANCE,
        "patchiness": Parameter(meaning="by how much β varies: 1 − p/2 to 1 + p/2 of its mean"),
        "grains": Parameter(meaning="amount of single grains before the lens"),
    },
    draw=draw,
    prepare=prepare,
    scale=Scale(
        name="beta", meaning="optical depth, in red, of the farthest point", zero=0, full=DENSEST
    ),
    usual=(0.15, 0.65),
    needs_depth=True,
)
