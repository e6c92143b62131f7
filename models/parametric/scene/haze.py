"""Haze: light scattered into the line of sight, more of it the farther the scene.

I = J·t + A·(1 − t), t = exp(−β·d) (Koschmieder's law as used by He et al., IEEE TPAMI 2011, and by
the RESIDE training sets, arXiv 1712.04143), on display values as those sets do. The strength scales
β; |I − J| = |A − J|·(1 − t) at every pixel, so severity grows with it everywhere.
"""

from __future__ import annotations

import numpy as np

from gends.models.parametric.depth import pseudo_depth
from gends.models.parametric.draw import chance, uniform
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.plasma import plasma
from gends.models.pixels import Photo

VERSION = 1

DENSEST = 5.0
"""β at strength 1 for the farthest point: 0.7 % of its light is left."""


def draw(rng: np.random.Generator) -> Parameters:
    """Draw airlight, distance of the nearest point, geometry and patchiness.

    Airlight 0.7 to 1 (RESIDE's range) with a tint of ±0.05 from warm to bluish; β modulated by
    0.5 to 1.5 in three images of ten, as over the fog machines of NH-HAZE (arXiv 2005.03560).
    """
    airlight, tint = uniform(rng, 0.7, 1.0), uniform(rng, -0.05, 0.05)
    return {
        "airlight": [round(airlight - tint, 4), airlight, round(airlight + tint, 4)],
        "nearest": uniform(rng, 0.02, 0.35),
        "horizon": uniform(rng, 0.15, 0.55),
        "ground": uniform(rng, 0.5, 0.9),
        "cues": uniform(rng, 0.25, 0.65),
        "patchiness": uniform(rng, 0.3, 1.0) if chance(rng, 0.3) else 0.0,
    }


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Lay the depth; the renderer fills it with haze."""
    rng = np.random.default_rng(seed)
    depth = pseudo_depth(
        image,
        rng,
        horizon=parameters["horizon"],
        ground=parameters["ground"],
        cues=parameters["cues"],
    )
    nearest = np.float32(parameters["nearest"])
    thickness = nearest + (1 - nearest) * depth
    if parameters["patchiness"]:
        patches = plasma(depth.shape, rng, cells=2.5, octaves=4)
        thickness *= 1 + np.float32(parameters["patchiness"]) * (patches - np.float32(0.5))
    airlight = np.clip(np.array(parameters["airlight"], np.float32), 0, 1)

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
    parameters={},
    draw=draw,
    prepare=prepare,
    usual=(0.1, 1.0),
)
