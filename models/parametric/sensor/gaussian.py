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
    # Smoothing needs neighbours beyond the border: mirrored ones would raise the variance there.
    margin = int(np.ceil(4 * grain))
    padded = (size[0] + 2 * margin, size[1] + 2 * margin)
    noise = np.zeros((*padded, 3), np.float32)
    if shared < 1:
        noise = rng.standard_normal((*padded, 3), dtype=np.float32)
        noise *= np.float32(np.sqrt(1 - shared))
    if shared > 0:
        common = rng.standard_normal((*padded, 1), dtype=np.float32)
        noise += np.float32(np.sqrt(shared)) * common
    if margin:
        noise = _smoothed(noise, grain, margin)[margin:-margin, margin:-margin]
    return noise


def _smoothed(noise: Photo, grain: float, radius: int) -> Photo:
    kernel = np.asarray(cv2.getGaussianKernel(2 * radius + 1, grain), np.float64)
    kernel = kernel / np.sqrt((kernel**2).sum())
    return np.asarray(cv2.sepFilter2D(noise, -1, kernel, kernel))
