"""Gaussian noise: y = x + σ·n, the noise of denoising benchmarks, on display values.

White and of its own in each channel as on CBSD68; the same in all channels, or correlated between
them, as BSRGAN draws it (Zhang et al., ICCV 2021); or grainy as that of film. Quantised, the result
is clipped and rounded to 8 bits at once, as in a noisy file; else it keeps its values beyond black
and white for the steps that follow. The strength is σ.
"""

from __future__ import annotations

import numpy as np

from gends.models.parametric.draw import chance, uniform
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter, Scale
from gends.models.parametric.sensor.gaussian import CHANNELS, CORRELATION, GRAIN, gaussian
from gends.models.pixels import Photo, to_float, to_uint8

SIGMA = Scale(name="sigma", meaning="standard deviation", zero=0, full=100, unit="of 255")


def draw(rng: np.random.Generator) -> Parameters:
    """Three of five have noise of their own in each channel; one of five is grainy."""
    kind = rng.choice(["colour", "gray", "correlated"], p=[0.6, 0.2, 0.2])
    return {
        "channels": str(kind),
        "correlation": uniform(rng, 0.1, 0.9),
        "grain": uniform(rng, 0.4, 1.5) if chance(rng, 0.2) else 0.0,
        "is_quantized": True,
    }


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Draw the noise; the renderer scales it."""
    noise = gaussian(
        image.shape[:2],
        np.random.default_rng(seed),
        channels=parameters["channels"],
        correlation=parameters["correlation"],
        grain=parameters["grain"],
    )

    def render(strength: float) -> Photo:
        noisy = image + np.float32(SIGMA.value(strength) / 255) * noise
        return to_float(to_uint8(noisy)) if parameters["is_quantized"] else np.asarray(noisy)

    return render


NOISE = Operation(
    name="noise",
    label=7,
    version=1,
    stage="sensor",
    summary="Gaussian noise, white or grainy, of each channel or of all",
    source="y = x + σ·n; channels as BSRGAN (ICCV 2021) draws them; quantising is our reading",
    parameters={
        "channels": CHANNELS,
        "correlation": CORRELATION,
        "grain": GRAIN,
        "is_quantized": Parameter(
            meaning="whether the result is clipped and rounded to 8 bits at once",
            choices=(True, False),
        ),
    },
    draw=draw,
    prepare=prepare,
    usual=(0.05, 0.5),
    scale=SIGMA,
)
