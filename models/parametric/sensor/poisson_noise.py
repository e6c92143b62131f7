"""Poisson noise: y = x + scale·(P(x·peak)/peak − x), on display values.

With scale 1 it is the photon noise of a picture whose white is `peak` photons (ImageNet-C's shot
noise, arXiv 1903.12261); the scale is Real-ESRGAN's (Wang et al., ICCVW 2021), 0.05 to 3 there. The
variance is scale²·x/peak. The strength is the scale.
"""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.draw import chance, log_uniform
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter, Scale
from gends.models.pixels import Photo

SCALE = Scale(name="scale", meaning="factor of the noise; 1: that of photons", zero=0, full=3)


def draw(rng: np.random.Generator) -> Parameters:
    """Peaks about Real-ESRGAN's 256; gray noise in two of five, as there."""
    return {
        "peak": log_uniform(rng, 30, 1000),
        "channels": "gray" if chance(rng, 0.4) else "colour",
    }


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Count photons; the renderer scales how far their number is from the expected one."""
    rng = np.random.default_rng(seed)
    light = np.clip(image, 0, 1)
    if parameters["channels"] == "gray":
        light = np.asarray(cv2.cvtColor(light, cv2.COLOR_RGB2GRAY), np.float32)[..., np.newaxis]
    peak = parameters["peak"]
    noise = np.asarray(rng.poisson(light * peak) / peak - light, np.float32)

    def render(strength: float) -> Photo:
        return np.asarray(np.clip(image + np.float32(SCALE.value(strength)) * noise, 0, 1))

    return render


POISSON_NOISE = Operation(
    name="poisson_noise",
    label=18,
    version=1,
    stage="sensor",
    summary="photon noise: its variance grows with brightness",
    source="y = x + scale·(P(x·peak)/peak − x) (Real-ESRGAN, ICCVW 2021; scale 1: ImageNet-C)",
    parameters={
        "peak": Parameter(meaning="photons of white", low=1.0, high=1e6),
        "channels": Parameter(
            meaning="colour: each channel counts its own photons; gray: all have the noise of luma",
            choices=("colour", "gray"),
        ),
    },
    draw=draw,
    prepare=prepare,
    usual=(0.0167, 1.0),
    scale=SCALE,
)
