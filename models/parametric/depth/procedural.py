"""How far things seem to be in one photograph, when nobody measured it."""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.guided_filter import guided_filter
from gends.models.parametric.fields.plasma import plasma
from gends.models.pixels import Photo, Plane

COARSE = 128
"""Shorter side, in pixels, of the copy on which depth is estimated."""
FLAT = 2e-3
"""Variance of the image below which it shows no edge; (1/22)²."""


def pseudo_depth(
    image: Photo, rng: np.random.Generator, *, horizon: float, ground: float, cues: float
) -> Plane:
    """Relative depth in [0, 1] (1 = farthest), (H, W), following the outlines of `image`.

    A ground plane seen in perspective (rows above `horizon`, a fraction of the height, are far;
    below it the depth falls as 1/(y − horizon)) is mixed with smooth noise, weight `ground` against
    1 − `ground`; then, with weight `cues`, with two monocular cues: the colour attenuation prior
    (Zhu et al., IEEE TIP 2015: depth rises with brightness minus saturation) and the absence of
    texture, which marks sky, haze already there, and what lies out of focus behind the subject.
    A guided filter (He and Sun, "Fast Guided Filter", arXiv 1505.00996) fits the mixture to the
    image's edges.
    """
    scale = min(1.0, COARSE / min(image.shape[:2]))
    small: Photo = np.asarray(
        cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.float32
    )
    luma = _luma(small)
    cloud = plasma(luma.shape, rng, cells=2.0, octaves=3)
    plane = _ground_plane(luma.shape[0], horizon)[:, np.newaxis]
    mixture = np.float32(ground) * plane + np.float32(1 - ground) * cloud
    mixture += np.float32(cues) * (_far_cues(small, luma) - mixture)
    radius = max(2, round(0.06 * min(luma.shape)))
    border = cv2.BORDER_REFLECT
    slope, offset = guided_filter(mixture, luma, _slope, radius=radius, border=border)
    if scale < 1:
        shape = (image.shape[1], image.shape[0])
        slope, offset = (np.asarray(cv2.resize(p, shape), np.float32) for p in (slope, offset))
        luma = _luma(image)
    return _stretch(slope * luma + offset)


def veil_thickness(image: Photo, rng: np.random.Generator, depth: Plane | None = None) -> Plane:
    """Relative thickness, in [0.35, 1], of the veil that far rain or snow hangs out.

    `depth` is relative, in [0, 1]; without it, it is guessed.
    """
    if depth is None:
        depth = pseudo_depth(image, rng, horizon=0.3, ground=0.8, cues=0.4)
    return np.asarray(np.float32(0.35) + np.float32(0.65) * depth)


def _luma(image: Photo) -> Plane:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.float32)


def _ground_plane(height: int, horizon: float) -> Plane:
    row = (np.arange(height, dtype=np.float32) + 0.5) / np.float32(height)
    nearness = np.float32(0.2)
    below = nearness / (np.maximum(row - np.float32(horizon), 0) + nearness)
    above = np.float32(0.15) * np.maximum(np.float32(horizon) - row, 0)
    return np.asarray(below - above, np.float32)


def _far_cues(image: Photo, luma: Plane) -> Plane:
    spread = max(1.0, 0.015 * min(luma.shape))
    red, green, blue = cv2.split(image)
    value = np.maximum(np.maximum(red, green), blue)
    least = np.minimum(np.minimum(red, green), blue)
    saturation = (value - least) / np.maximum(value, np.float32(1e-3))
    attenuation = np.float32(0.959710) * value - np.float32(0.780245) * saturation
    attenuation = np.asarray(cv2.GaussianBlur(attenuation, (0, 0), spread))
    detail = np.abs(luma - cv2.GaussianBlur(luma, (0, 0), spread))
    smoothness = np.exp(-cv2.GaussianBlur(detail, (0, 0), 2 * spread) / np.float32(0.03))
    return np.asarray(0.5 * _stretch(attenuation) + 0.5 * smoothness, np.float32)


def _stretch(field: Plane) -> Plane:
    step = max(1, min(field.shape) // 64)
    low, high = np.percentile(field[::step, ::step], (1, 99))
    span = np.float32(max(float(high - low), 1e-6))
    return np.asarray(np.clip((field - np.float32(low)) / span, 0, 1), np.float32)


def _slope(covariance: Plane, variance: Plane) -> Plane:
    return np.asarray(covariance / (variance + np.float32(FLAT)))
