"""Smaller and larger copies of a picture that keep every thing where it is.

Sizes are whole numbers of pixels, and the outer edges of both pictures coincide: the centre of
pixel i of m lies at (i + ½)·n/m − ½ among n. Nearest neighbours need care there: where a centre
falls between two pixels, as for all even factors, always taking the same moves the picture by half
a pixel, so both are taken in turn.
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
    # Few rows are taken first, or many last: whole rows are the quickest to copy.
    for axis in (0, 1) if size[0] < image.shape[0] else (1, 0):
        image = np.take(image, _neighbours(image.shape[axis], size[axis]), axis=axis)
    return image


def _neighbours(old: int, new: int) -> npt.NDArray[np.int64]:
    """Of each of `new` centres the nearest of `old` pixels; of two as near, each in its turn."""
    index = np.arange(new)
    return ((2 * index + 1) * old - index % 2) // (2 * new)
