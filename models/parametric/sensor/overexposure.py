"""Over-exposure: light times 2^EV, and what is then too much clipped in each channel.

y = z·2^EV/(1 + k·z·2^EV), clipped at 1, with scene light z = x/(1 − k·x): a hard clip for k = 0,
a film-like shoulder (Reinhard et al., SIGGRAPH 2002) that grows softer with k. The light that the
sensor could not hold may spill over its surroundings (bloom). A local variant exposes only a part,
as a window or a lamp does. The strength is EV.
"""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.draw import chance, uniform
from gends.models.parametric.filters.tone import compress, decode, encode, expand
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter, Scale
from gends.models.parametric.sensor.illumination import illumination
from gends.models.pixels import Photo, Plane

EV = Scale(name="ev", meaning="stops of too much light", zero=0, full=4, unit="stops")

HALOS = ((0.008, 0.5), (0.03, 0.3), (0.12, 0.2))
"""Radius, as a share of the shorter side, and weight of bloom's parts."""


def draw(rng: np.random.Generator) -> Parameters:
    """A hard clip in two of five, bloom in every second, one of three local."""
    return {
        "shoulder": 0.0 if chance(rng, 0.4) else uniform(rng, 0.2, 0.9),
        "bloom": uniform(rng, 0.02, 0.15) if chance(rng, 0.5) else 0.0,
        "locality": uniform(rng, 0.5, 1.0) if chance(rng, 0.33) else 0.0,
    }


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Bring the picture to scene light; the renderer exposes it."""
    shoulder, bloom = parameters["shoulder"], np.float32(parameters["bloom"])
    scene = expand(decode(np.clip(image, 0, 1)), shoulder)
    part = _part(image, parameters["locality"], np.random.default_rng(seed))
    full = np.float32(1 / (1 - shoulder))

    def render(strength: float) -> Photo:
        light = scene * np.exp2(np.float32(EV.value(strength)) * part)[..., np.newaxis]
        if bloom:
            light += bloom * _spilled(np.clip(light - full, 0, 4 * full))
        return np.asarray(encode(np.minimum(compress(light, shoulder), 1)))

    return render


def _part(image: Photo, locality: float, rng: np.random.Generator) -> Plane:
    """Share of EV that each pixel gets."""
    if not locality:
        return np.ones(image.shape[:2], np.float32)
    return np.asarray(1 - np.float32(locality) * (1 - illumination(image, rng)))


def _spilled(excess: Photo) -> Photo:
    """Excess light, scattered over short and long distances."""
    side = min(excess.shape[:2])
    spilled = np.zeros_like(excess)
    for radius, weight in HALOS:
        shrink = max(1, int(radius * side / 3))
        small = cv2.resize(
            excess,
            (-(-excess.shape[1] // shrink), -(-excess.shape[0] // shrink)),
            interpolation=cv2.INTER_AREA,
        )
        blurred = cv2.GaussianBlur(small, (0, 0), max(radius * side / shrink, 0.3))
        spilled += np.float32(weight) * cv2.resize(blurred, excess.shape[1::-1])
    return spilled


OVEREXPOSURE = Operation(
    name="overexposure",
    label=17,
    version=1,
    stage="sensor",
    summary="too much light, clipped in each channel",
    source="y = min(1, f(2^EV·f⁻¹(x))), Reinhard's f (SIGGRAPH 2002); bloom is our reading",
    parameters={
        "shoulder": Parameter(
            meaning="softness of the clip: white was 1/(1 − k) times brighter; 0 is hard", high=0.95
        ),
        "bloom": Parameter(meaning="share of the light beyond white that spills over"),
        "locality": Parameter(meaning="0: all of the picture is exposed; 1: only a part"),
    },
    draw=draw,
    prepare=prepare,
    usual=(0.175, 0.75),
    scale=EV,
)
