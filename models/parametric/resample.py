"""Smaller and larger copies of a picture that keep every thing where it is.

Sizes are whole numbers of pixels, and the outer edges of both pictures coincide: the centre of
pixel i of m lies at (i + ½)·n/m − ½ among n. Nearest neighbours need care there: where a centre
falls between two pixels, as for all even factors, taking either moves the picture by half a pixel,
so the mean of both is taken.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from gends.models.parametric.operation import Size
from gends.models.pixels import Photo

KERNELS: dict[str, int] = {
    "area": cv2.INTER_AREA,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
}
"""OpenCV's, none of which widens as the picture shrinks but `area`: the others then alias."""


def smaller(size: Size, factor: float) -> Size:
    """Height and width of a picture that is `factor` times smaller, at least one pixel."""
    return max(1, round(size[0] / factor)), max(1, round(size[1] / factor))


def resample(image: Photo, size: Size, kernel: str) -> Photo:
    """The same picture at another size, by `area`, `bilinear`, `bicubic` or `nearest`."""
    if image.shape[:2] == tuple(size):
        return image
    if kernel == "nearest":
        return _nearest(image, size)
    shape = size[1], size[0]
    return np.asarray(cv2.resize(image, shape, interpolation=KERNELS[kernel]), np.float32)


def _nearest(image: Photo, size: Size) -> Photo:
    for axis, count in enumerate(size):
        low, high = _neighbours(image.shape[axis], count)
        taken = np.take(image, high, axis=axis)
        if (low != high).any():
            taken = (np.take(image, low, axis=axis) + taken) * np.float32(0.5)
        image = taken
    return image


def _neighbours(old: int, new: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Of each of `new` centres the nearest of `old` pixels: two where both are as near."""
    doubled = (2 * np.arange(new) + 1) * old
    return (doubled - 1) // (2 * new), doubled // (2 * new)
