"""Convolution through OpenCV's Fourier transform: its cost does not grow with the kernel."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from gends.models.parametric.operation import Size
from gends.models.pixels import Plane

Kernel = TypeVar("Kernel", npt.NDArray[np.float32], npt.NDArray[np.float64])


def fast_size(size: Size) -> Size:
    """Smallest size of at least `size` that transforms fast."""
    return cv2.getOptimalDFTSize(size[0]), cv2.getOptimalDFTSize(size[1])


def spectrum(plane: Plane) -> Plane:
    """Transform a plane (packed real spectrum of the same shape)."""
    return np.asarray(cv2.dft(np.ascontiguousarray(plane)))


def transfer(kernel: Plane, size: Size) -> Plane:
    """Spectrum, on planes of `size`, of a kernel with odd sides about its middle."""
    return spectrum(centered(kernel, size))


def centered(kernel: Kernel, size: Size) -> Kernel:
    """A kernel with odd sides on a plane of `size` of zeros, its middle at the origin."""
    if kernel.shape[0] > size[0] or kernel.shape[1] > size[1]:
        raise ValueError(f"a kernel of {kernel.shape} does not fit a plane of {size}")
    canvas = np.zeros(size, kernel.dtype)
    canvas[: kernel.shape[0], : kernel.shape[1]] = kernel
    shift = (-(kernel.shape[0] // 2), -(kernel.shape[1] // 2))
    return np.roll(canvas, shift, axis=(0, 1))


def filtered(plane_spectrum: Plane, kernel_transfer: Plane) -> Plane:
    """Plane whose spectrum is the product of the two: periodic convolution."""
    product = cv2.mulSpectrums(plane_spectrum, kernel_transfer, 0)
    return np.asarray(cv2.dft(product, flags=cv2.DFT_INVERSE | cv2.DFT_SCALE))
