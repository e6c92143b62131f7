"""How much of a photograph's structure survives in a degraded copy.

A degradation may darken, veil, blur or cover parts of a scene, but the edges that remain must be
the photograph's own. Local correlation ignores any local change of brightness and contrast, so haze
and low light score near 1; at a quarter of the resolution it forgives blur, streaks and noise. A
hallucinated, blank or washed-out image scores near 0.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from gends.models.degrader import Image
from gends.pipeline.making.windows import local_mean, quarter

_WINDOW = 9
# Variance too faint to be structure: one grey level of 255 (noise, quantisation).
_FLAT = (1 / 255) ** 2
# Weight of the assumption that nothing is lost, per window, in units of standard deviation: about
# one grey level. A clear sky holds no structure that rain could take away.
_PRIOR = 0.004


def structure_score(lq: Image, gt: Image) -> float:
    """Weighted mean of the local correlation of luminance, in [-1, 1]; 1 is all structure kept.

    Windows of 9×9 at a quarter of the resolution, weighted by the standard deviation of `gt`.
    `lq` and `gt` are uint8 (H, W, 3). How it separates good pairs from failures is measured in
    docs/quality-filter.md.
    """
    degraded, clean = _luminance(lq), _luminance(gt)
    mean_degraded, mean_clean = _mean(degraded), _mean(clean)
    covariance = _mean(degraded * clean) - mean_degraded * mean_clean
    variance_degraded = np.maximum(_mean(degraded**2) - mean_degraded**2, 0)
    variance_clean = np.maximum(_mean(clean**2) - mean_clean**2, 0)
    correlation = covariance / np.sqrt((variance_degraded + _FLAT) * (variance_clean + _FLAT))
    weight = np.sqrt(variance_clean)
    return float(
        ((weight * correlation).sum() + _PRIOR * weight.size)
        / (weight.sum() + _PRIOR * weight.size)
    )


def _luminance(image: Image) -> npt.NDArray[np.float64]:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return quarter(grey.astype(np.float32)).astype(np.float64) / 255


def _mean(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return local_mean(values, _WINDOW)
