"""The guided filter: a smooth linear map from one picture to another, around each pixel."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from gends.models.pixels import Field

Slope = Callable[[Field, Field], Field]
"""(covariance of guide and target, variance of the guide), around each pixel → slope."""


def guided_filter(
    target: Field, guide: Field, slope: Slope, *, radius: int, border: int
) -> tuple[Field, Field]:
    """Slope a and offset b, for each pixel, with which a · guide + b is near the target.

    He, Sun and Tang, TPAMI 2013, equations 5, 6 and 8: both are fitted in the square of `radius`
    pixels around each pixel, and then averaged over the same square.

    Args:
        target: (H, W) or (H, W, 3), whose channels are fitted one by one.
        guide: the same shape.
        slope: equation 5, with the caller's regularisation and bounds.
        radius: in pixels.
        border: what lies outside, one of OpenCV's `BORDER_*`.
    """

    def mean(values: Field) -> Field:
        window = (2 * radius + 1, 2 * radius + 1)
        return np.asarray(cv2.blur(values, window, borderType=border), np.float32)

    mean_guide, mean_target = mean(guide), mean(target)
    covariance = mean(guide * target) - mean_guide * mean_target
    variance = mean(guide * guide) - mean_guide * mean_guide
    a = slope(covariance, variance)
    return mean(a), mean(mean_target - a * mean_guide)
