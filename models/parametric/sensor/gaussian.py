"""Fields of Gaussian noise of unit variance, alone or shared by the channels, white or grainy."""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.operation import Size
from gends.models.parametric.parameter import Parameter
from gends.models.pixels import Photo

CHANNELS = Parameter(
    meaning="colour: each channel has its own noise; gray: all have the same; correlated: between",
    choices=("colour", "gray", "correlated"),
)
CORRELATION = Parameter(meaning="correlation of any two channels, if channels is correlated")
GRAIN = Parameter(
    meaning="standard deviation of the Gaussian that the noise is smoothed with; 0: white noise",
    high=8.0,
    unit="px",
)


def gaussian(
    size: Size,
    rng: np.random.Generator,
    *,
    channels: str = "colour",
    correlation: float = 0.0,
    grain: float = 0.0,
) -> Photo:
    """Unit noise, (H, W, 3): between any two channels it has the given correlation.

    `grain` correlates neighbours as exp(−d²/(4·grain²)) and leaves the variance as it is.
    """
    shares = {"colour": 0.0, "gray": 1.0, "correlated": correlation}
    shared = shares[channels]
    noise = np.zeros((*size, 3), np.float32)
    if shared < 1:
        noise = rng.standard_normal((*size, 3), dtype=np.float32)
        noise *= np.float32(np.sqrt(1 - shared))
    if shared > 0:
        common = rng.standard_normal((*size, 1), dtype=np.float32)
        noise += np.float32(np.sqrt(shared)) * common
    return smoothed(noise, grain)


def smoothed(noise: Photo, grain: float) -> Photo:
    """White noise smoothed by a Gaussian of `grain` pixels, its variance kept."""
    if grain <= 0:
        return noise
    radius = max(1, int(np.ceil(4 * grain)))
    kernel = cv2.getGaussianKernel(2 * radius + 1, grain)
    kernel /= np.sqrt((kernel**2).sum())
    # Reflection would double the weight of the border's pixels: the field would be rougher there.
    return np.asarray(cv2.sepFilter2D(noise, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT))
