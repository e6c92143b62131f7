"""Motion blur: the one kernel that makes of the photograph what was painted, as near as it can."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from gends.models.parametric.filters.fourier import centered
from gends.models.pixels import Photo

REACH = 0.05
"""Of a kernel from its middle, by the picture's shorter side."""
STEPS = 60
"""Of the descent; more change only the kernel's last shades."""
FAINT = 0.1
"""Power of a frequency, by the mean of all, below which it is as much noise as picture."""

Weights = npt.NDArray[np.float64]
"""Of a kernel, odd sides, or of one laid on a plane of the picture's size."""


def blurred_like(photograph: Photo, painted: Photo) -> Photo:
    """The photograph, convolved with `fit_kernel`."""
    kernel = fit_kernel(photograph, painted).astype(np.float32)
    turned = np.ascontiguousarray(kernel[::-1, ::-1])  # filter2D correlates
    blurred = cv2.filter2D(photograph, -1, turned, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(blurred, np.float32)


def fit_kernel(photograph: Photo, painted: Photo) -> Weights:
    """Kernel K ≥ 0 of sum 1 and odd sides for which K ∗ photograph is nearest to `painted`.

    Least squares over the frequencies of the grey pictures, each divided by its power in the
    photograph: strong ones do not decide alone. Those that the photograph hardly has (`FAINT`)
    count less. Accelerated projected gradients (Beck and Teboulle, SIAM Journal on Imaging
    Sciences 2009) from no blur at all.
    """
    clean, blurred = _transformed(photograph), _transformed(painted)
    shape = (photograph.shape[0], photograph.shape[1])
    power = np.abs(clean) ** 2
    weight = 1 / np.maximum(power + FAINT * power.mean(), 1e-9)
    wanted, power = weight * np.conj(clean) * blurred, weight * power
    radius = int(REACH * min(shape))
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1))
    kernel[radius, radius] = 1
    ahead, momentum = kernel, 1.0
    for _ in range(STEPS):
        error = power * np.fft.rfft2(centered(ahead, shape)) - wanted
        moved = _simplex(ahead - _around(np.fft.irfft2(error, shape), radius))
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = moved + (momentum - 1) / following * (moved - kernel)
        kernel, momentum = moved, following
    return kernel


def _simplex(values: Weights) -> Weights:
    """The nearest values ≥ 0 of sum 1 (Duchi and others, ICML 2008)."""
    falling = np.sort(values, axis=None)[::-1]
    surplus = (np.cumsum(falling) - 1) / np.arange(1, falling.size + 1)
    return np.asarray(np.maximum(values - surplus[falling > surplus][-1], 0))


def _transformed(picture: Photo) -> npt.NDArray[np.complex128]:
    """Spectrum of the grey picture without its mean, faded out towards its borders."""
    grey = picture.mean(axis=2, dtype=np.float64)
    height, width = grey.shape
    return np.fft.rfft2((grey - grey.mean()) * np.outer(np.hanning(height), np.hanning(width)))


def _around(laid: Weights, radius: int) -> Weights:
    """The inverse of `centered`."""
    side = 2 * radius + 1
    return np.roll(laid, (radius, radius), (0, 1))[:side, :side]
