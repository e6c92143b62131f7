"""Haze: light scattered into the line of sight, more of it the farther the scene.

I = J·t + A·(1 − t), t = exp(−β·d) (Koschmieder's law as used by He et al., IEEE TPAMI 2011, and by
the RESIDE training sets, arXiv 1712.04143), on display values as those sets do. The strength scales
β; |I − J| = |A − J|·(1 − t) at every pixel, so severity grows with it everywhere.

Dense haze is haze whose nearest point is hardly nearer than the farthest (Dense-HAZE, arXiv
1904.02904). At night the airlight is the glow of lamps: the picture's brightest spots, spread by a
generalised Gaussian (Metari and Deschênes, ICCV 2007).
"""

from __future__ import annotations

import numpy as np

from gends.models.parametric.depth.distance import DISTANCE, distance, draw_distance
from gends.models.parametric.draw import chance, uniform
from gends.models.parametric.fields.glow import glow
from gends.models.parametric.fields.plasma import plasma
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter, Scale
from gends.models.pixels import Photo, Plane

VERSION = 2

DENSEST = 5.0
"""β at strength 1 for the farthest point: 0.7 % of its light is left."""


def draw(rng: np.random.Generator) -> Parameters:
    """Draw airlight, geometry, patchiness and glow.

    Airlight 0.7 to 1 (RESIDE's range), in one image of seven 0.5 to 0.75 and dense (Dense-HAZE);
    a tint of ±0.05 from warm to bluish; β modulated by up to 0.2 to 1.8 in four images of ten, as
    over the fog machines of NH-HAZE (arXiv 2005.03560); one image in twenty at night.
    """
    is_dense = chance(rng, 0.14)
    airlight = uniform(rng, 0.5, 0.75) if is_dense else uniform(rng, 0.7, 1.0)
    tint = uniform(rng, -0.05, 0.05)
    return {
        "airlight": [round(min(airlight + side * tint, 1.0), 4) for side in (-1, 0, 1)],
        **draw_distance(rng, (0.4, 0.8) if is_dense else (0.0, 0.25)),
        "depth_gamma": uniform(rng, 0.8, 1.8),
        "patchiness": uniform(rng, 0.3, 1.6) if chance(rng, 0.4) else 0.0,
        "glow": uniform(rng, 0.5, 0.85) if chance(rng, 0.05) else 0.0,
        "glow_radius": uniform(rng, 0.05, 0.2),
        "glow_shape": uniform(rng, 0.4, 0.9),
    }


def prepare(
    image: Photo, parameters: Parameters, seed: int, depth: Plane | None = None
) -> Renderer:
    """Lay the depth and the airlight; the renderer fills the depth with haze."""
    rng = np.random.default_rng(seed)
    thickness = distance(image, parameters, rng, depth) ** np.float32(parameters["depth_gamma"])
    if parameters["patchiness"]:
        patches = plasma(thickness.shape, rng, cells=2.5, octaves=4)
        thickness *= 1 + np.float32(parameters["patchiness"]) * (patches - np.float32(0.5))
    airlight = np.clip(np.array(parameters["airlight"], np.float32), 0, 1)
    if parameters["glow"]:
        lamps = glow(image, radius=parameters["glow_radius"], shape=parameters["glow_shape"])
        lit = 1 - np.float32(parameters["glow"]) * (1 - lamps)
        airlight = airlight * lit[..., np.newaxis]

    def render(strength: float) -> Photo:
        transmission = np.exp(np.float32(-DENSEST * strength) * thickness)[..., np.newaxis]
        return np.asarray(airlight + (image - airlight) * transmission, np.float32)

    return render


HAZE = Operation(
    name="haze",
    label=1,
    version=VERSION,
    stage="scene",
    summary="light scattered by the air into the line of sight",
    source="I = J·t + A·(1 − t), t = exp(−β·d) (RESIDE, arXiv 1712.04143)",
    parameters={
        "airlight": Parameter(meaning="colour of haze of endless depth", size=3),
        **DISTANCE,
        "depth_gamma": Parameter(meaning="exponent of the distance", low=0.25, high=4.0),
        "patchiness": Parameter(
            meaning="by how much β varies: 1 − p/2 to 1 + p/2 of its mean", high=2.0
        ),
        "glow": Parameter(meaning="share of the airlight that comes from lamps; 0 is day"),
        "glow_radius": Parameter(meaning="width of a lamp's glow", low=0.001, unit="of side"),
        "glow_shape": Parameter(
            meaning="exponent of the glow's point spread; less is a longer tail", low=0.2, high=2
        ),
    },
    draw=draw,
    prepare=prepare,
    scale=Scale(name="beta", meaning="optical depth of the farthest point", zero=0, full=DENSEST),
    usual=(0.1, 1.0),
    needs_depth=True,
)
