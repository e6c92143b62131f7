"""Smooth random fields: clouds of fog, gusts of rain, the irregular outline of flakes."""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.operation import Size
from gends.models.pixels import Plane


def plasma(
    size: Size, rng: np.random.Generator, *, cells: float, octaves: int, persistence: float = 0.5
) -> Plane:
    """Fractal value noise, (H, W), stretched to exactly [0, 1].

    Octave o is a random lattice of `cells`·2^o cells along the longer side, interpolated
    bicubically, with amplitude `persistence`^o: the multi-resolution sum that plasma fractals
    (ImageNet-C's fog, arXiv 1903.12261) approximate by midpoint displacement, but defined for any
    aspect ratio.
    """
    height, width = size
    field = np.zeros(size, np.float32)
    for octave in range(octaves):
        per_pixel = cells * 2**octave / max(height, width)
        lattice = rng.random(
            (round(height * per_pixel) + 1, round(width * per_pixel) + 1), dtype=np.float32
        )
        smooth = cv2.resize(lattice, (width, height), interpolation=cv2.INTER_CUBIC)
        field += np.float32(persistence**octave) * smooth
    low, high = float(field.min()), float(field.max())
    return np.asarray((field - np.float32(low)) / np.float32(max(high - low, 1e-6)))
