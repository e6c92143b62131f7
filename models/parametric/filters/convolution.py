"""One image, transformed once, to be convolved with many kernels."""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.filters.fourier import fast_size, filtered, spectrum, transfer
from gends.models.pixels import Photo, Plane


class Convolved:
    """An image (H, W, C), mirrored at its borders, for kernels that reach up to `reach` pixels."""

    def __init__(self, image: Photo, reach: float) -> None:
        self.size = image.shape[:2]
        self.margin = int(np.ceil(reach)) + 2
        height, width = self.size
        rows, columns = fast_size((height + 2 * self.margin, width + 2 * self.margin))
        below, beyond = rows - height - self.margin, columns - width - self.margin
        padded = cv2.copyMakeBorder(
            image, self.margin, below, self.margin, beyond, cv2.BORDER_REFLECT_101
        )
        self.spectra = [spectrum(np.asarray(c, np.float32)) for c in cv2.split(padded)]

    def __call__(self, kernel: Plane) -> Photo:
        """Convolve it with a kernel of odd sides about its middle."""
        factor = transfer(kernel, self.spectra[0].shape)
        blurred = cv2.merge([filtered(s, factor) for s in self.spectra])
        (height, width), margin = self.size, self.margin
        return np.asarray(blurred[margin : margin + height, margin : margin + width])
