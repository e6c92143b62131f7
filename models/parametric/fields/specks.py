"""Many small bodies that are all alike: dust in air or water, scattered copies of a kernel."""

from __future__ import annotations

import numpy as np

from gends.models.parametric.filters.fourier import fast_size, filtered, spectrum, transfer
from gends.models.parametric.operation import Size
from gends.models.pixels import Plane


def scatter(
    size: Size,
    kernel: Plane,
    count: float,
    rng: np.random.Generator,
    *,
    faintest: float = 0.3,
) -> Plane:
    """Draw about `count` copies of `kernel`, brightness U(faintest, 1), (H, W), clipped to [0, 1].

    Seeds fall on whole pixels; what leaves at one border enters at the opposite one. Overlapping
    bodies add up. `kernel` has odd sides and a largest value of 1.
    """
    height, width = size
    rows, columns = fast_size((max(height, kernel.shape[0]), max(width, kernel.shape[1])))
    seeds = np.zeros((rows, columns), np.float32)
    number = round(count * seeds.size / (height * width))
    place = rng.integers(seeds.size, size=number)
    seeds.ravel()[place] = rng.uniform(faintest, 1.0, number).astype(np.float32)
    field = filtered(spectrum(seeds), transfer(kernel, seeds.shape))
    return np.clip(field[:height, :width], 0, 1)


def disc(radius: float, softness: float) -> Plane:
    """Kernel of a round body of `radius` pixels whose edge fades over `softness` pixels."""
    reach = int(np.ceil(radius + softness)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    edge = np.float32(max(softness, 0.5))
    fade = np.clip((np.float32(radius) + edge / 2 - np.hypot(x, y)) / edge, 0, 1)
    kernel = fade * fade * (3 - 2 * fade)
    return np.asarray(kernel / kernel.max(), np.float32)
