"""Stochastic textures: random, with the statistics of natural pictures."""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.degrader import Image
from gends.models.grounds.exposure import exposed
from gends.models.grounds.natural import draw_palette
from gends.models.parametric.operation import Size
from gends.models.pixels import Plane, to_uint8

EXPONENTS = (0.8, 2.2)
"""Power of noise falls with frequency to one of these powers; that of photographs to about 1.9."""

RADII = (2.0, 64.0)
"""Of dead leaves, pixels."""

CONTRAST = 0.18
"""Standard deviation of noise, of the full range."""

_FRACTION = 4
"""Bits of fractions of pixels in OpenCV's drawing."""


def draw_stochastic(size: Size, rng: np.random.Generator) -> Image:
    """One of `ELEMENTS`."""
    return exposed(ELEMENTS[rng.integers(len(ELEMENTS))](size, rng))


def dead_leaves(size: Size, rng: np.random.Generator) -> Image:
    """Discs that hide one another, number by radius falling with its third power.

    Their size then follows no scale, as that of things at all distances (Lee, Mumford and Huang,
    IJCV 2001). Colours are those of a photograph.
    """
    height, width = size
    small, large = (radius**-2 for radius in RADII)
    # Mean area of a disc: enough of them that one pixel in a thousand stays bare.
    area = 2 * np.pi * np.log(RADII[1] / RADII[0]) / (small - large)
    count = int(7 * (height + RADII[0]) * (width + RADII[0]) / area)
    radii = rng.uniform(large, small, count) ** -0.5
    places = rng.random((count, 2)) * (width, height)
    palette = draw_palette(count, rng)[:, 0].tolist()
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = palette[0]
    units = np.rint(np.column_stack([places, radii]) * 2**_FRACTION).astype(int).tolist()
    for (x, y, radius), colour in zip(units, palette, strict=True):
        cv2.circle(canvas, (x, y), radius, colour, -1, cv2.LINE_AA, _FRACTION)
    return canvas


def power_law_noise(size: Size, rng: np.random.Generator) -> Image:
    """Noise whose power falls with frequency as 1/f^a, its channels alike by two thirds."""
    return _coloured(size, _filter(size, rng.uniform(*EXPONENTS)), rng)


def streaked_noise(size: Size, rng: np.random.Generator) -> Image:
    """The same, drawn out 3 to 8 times in any direction, as fur, grass and wood are."""
    stretch, angle = rng.uniform(3, 8), rng.uniform(0, np.pi)
    return _coloured(size, _filter(size, rng.uniform(1.4, 2.2), stretch, angle), rng)


def cells(size: Size, rng: np.random.Generator) -> Image:
    """Voronoi cells, 4 to 20 pixels wide, in colours of a photograph."""
    count = max(4, int(size[0] * size[1] / rng.uniform(4, 20) ** 2))
    bare = np.ones(size, np.uint8)
    bare.ravel()[rng.integers(bare.size, size=count)] = 0
    _, nearest = cv2.distanceTransformWithLabels(
        bare, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    return np.asarray(draw_palette(int(nearest.max()) + 1, rng)[nearest, 0])


ELEMENTS = (dead_leaves, power_law_noise, streaked_noise, cells)
"""(size, rng) to a picture."""


def _filter(size: Size, exponent: float, stretch: float = 1.0, angle: float = 0.0) -> Plane:
    """Amplitude of each frequency of a real transform, falling so that power is 1/f^exponent."""
    fy = np.fft.fftfreq(size[0])[:, None]
    fx = np.fft.rfftfreq(size[1])[None]
    u = (fx * np.cos(angle) + fy * np.sin(angle)) * stretch**0.5
    v = (fy * np.cos(angle) - fx * np.sin(angle)) / stretch**0.5
    frequency = np.hypot(u, v)
    frequency[0, 0] = np.inf
    return np.asarray(frequency ** (-exponent / 2), np.float32)


def _coloured(size: Size, amplitude: Plane, rng: np.random.Generator) -> Image:
    """Four fields of noise of that spectrum, one of them in all three channels, about a colour."""
    white = rng.standard_normal((4, *size), dtype=np.float32)
    fields = np.fft.irfft2(np.fft.rfft2(white) * amplitude, size)
    channels = fields[3] + rng.uniform(0, 0.7) * fields[:3]
    middle = rng.uniform(0.4, 0.6, 3)
    scaled = channels.transpose(1, 2, 0) * (CONTRAST / channels.std())
    return to_uint8((scaled + middle).astype(np.float32))
