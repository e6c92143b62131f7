"""Downsampling: detail that a smaller copy cannot hold, as it looks when made large again.

ImageNet-C's pixelate is `area` down and `nearest` up; the low-resolution pictures of
super-resolution are blurred, shrunk by `bicubic`, and enlarged by it. Outer edges stay where they
are, so nothing shifts.
"""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.draw import chance, uniform
from gends.models.parametric.filters.resample import resample, smaller
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter, Scale
from gends.models.pixels import Photo

VERSION = 1

FACTOR = Scale(
    name="factor", meaning="how many times smaller the copy is, on each side", zero=1, full=8
)

KERNELS = ("area", "bicubic", "bilinear", "nearest")
UP_KERNELS = ("bicubic", "bilinear", "nearest")


def draw(rng: np.random.Generator) -> Parameters:
    """Draw both kernels, each as often, and a blur before, 0.2 to 0.6, in every second picture."""
    return {
        "kernel": KERNELS[rng.integers(len(KERNELS))],
        "up_kernel": UP_KERNELS[rng.integers(len(UP_KERNELS))],
        "blur": uniform(rng, 0.2, 0.6) if chance(rng, 0.5) else 0.0,
    }


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Nothing is drawn; the strength is the factor."""

    def render(strength: float) -> Photo:
        factor = FACTOR.value(strength)
        small = smaller(image.shape[:2], factor)
        if small == image.shape[:2]:
            return image
        sigma = parameters["blur"] * (factor - 1)
        blurred = cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0 else image
        shrunk = resample(np.asarray(blurred, np.float32), small, parameters["kernel"])
        return np.clip(resample(shrunk, image.shape[:2], parameters["up_kernel"]), 0, 1)

    return render


DOWNSAMPLING = Operation(
    name="downsampling",
    label=24,
    version=VERSION,
    stage="coding",
    summary="detail lost in a smaller copy that was made large again",
    source="pixelate of ImageNet-C (arXiv 1903.12261), factors 1.7 to 4; bicubic 2 to 4 of "
    "super-resolution (DIV2K)",
    parameters={
        "kernel": Parameter(meaning="how the copy is made smaller", choices=KERNELS),
        "up_kernel": Parameter(meaning="how it is made large again", choices=UP_KERNELS),
        "blur": Parameter(
            meaning="Gaussian before it is made smaller: its deviation is this times factor − 1",
            high=2.0,
            unit="px",
        ),
    },
    draw=draw,
    prepare=prepare,
    scale=FACTOR,
    usual=(FACTOR.strength(1.5), FACTOR.strength(4)),
    uses_seed=False,
)
