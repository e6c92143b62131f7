"""Speckle noise: y = x + σ·x·n, noise that multiplies, on display values.

The formula of ImageNet-C's extra corruptions (arXiv 1903.12261), σ 0.15 to 0.6 there. The strength
is σ.
"""

from __future__ import annotations

import numpy as np

from gends.models.parametric.draw import chance, uniform
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Scale
from gends.models.parametric.sensor.gaussian import CHANNELS, CORRELATION, GRAIN, gaussian
from gends.models.pixels import Photo

SIGMA = Scale(name="sigma", meaning="standard deviation as a share of the light", zero=0, full=1)


def draw(rng: np.random.Generator) -> Parameters:
    """As ImageNet-C in three of five; else gray or correlated; one of three is grainy."""
    kind = rng.choice(["colour", "gray", "correlated"], p=[0.6, 0.3, 0.1])
    return {
        "channels": str(kind),
        "correlation": uniform(rng, 0.1, 0.9),
        "grain": uniform(rng, 0.4, 1.5) if chance(rng, 0.33) else 0.0,
    }


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Draw the noise and multiply; the renderer scales it."""
    noise = image * gaussian(image.shape[:2], np.random.default_rng(seed), **parameters)

    def render(strength: float) -> Photo:
        return np.asarray(np.clip(image + np.float32(SIGMA.value(strength)) * noise, 0, 1))

    return render


SPECKLE_NOISE = Operation(
    name="speckle_noise",
    label=19,
    version=1,
    stage="sensor",
    summary="noise that multiplies the light",
    source="y = x + σ·x·n (ImageNet-C, arXiv 1903.12261)",
    parameters={"channels": CHANNELS, "correlation": CORRELATION, "grain": GRAIN},
    draw=draw,
    prepare=prepare,
    usual=(0.05, 0.6),
    scale=SIGMA,
)
