"""Colour in a degraded picture that neither the photograph nor the degradation explains.

Veils, snow and darkness pull colours towards grey, streaks add grey, blur and drops mix colours of
the neighbourhood, a sensor adds grain. None paints patches of colour where the photograph is even,
or a cast over all of it. A generator that fails does: blotches in skies and walls, coloured
confetti, squares of its latents, a picture gone blue.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from gends.models.degrader import Image
from gends.pipeline.making.windows import SCALE, local_mean, quarter

_WINDOW = 3
# Side of the neighbourhood whose colours a degradation may have carried here, in blocks; where it
# is not named, it changes pixels in their places.
_REACH = {"motion_blur": 5, "raindrop": 15}
# Squared chroma too faint to have a hue: 2.5 grey levels of 255.
_FAINT = 1e-4
# Share of the variance of grain that means of blocks keep: grain of 2×2 pixels, as chroma in JPEG
# files has it; four times what they keep of grain of single pixels.
_GRAIN = 4 / SCALE**2
# Chroma of the most tinted air that haze is made of (see its formula, models/parametric/scene): a
# weaker cast may be the weather's.
_TINT = 0.09
# Least mean difference that stray colour is held against: one grey level.
_LEAST = 1 / 255

Planes = npt.NDArray[np.float32]


def stray_colour(lq: Image, gt: Image, degradation: str) -> float:
    """Mean standard deviation of unexplained chroma, as a share of mean |lq - gt|; 0 is none.

    Chroma is (R - G, (R + G)/2 - B), in windows of 3×3 blocks of 4×4 pixels. Explained is what lies
    between grey and the colour of `gt` at the same place, fine grain, and as much standard
    deviation as `gt` has within the degradation's reach: 5 windows for motion blur, 15 for
    raindrops, its own for others. To this is added what all of `lq` has gained beyond the tint of
    haze. `lq` and `gt` are uint8 (H, W, 3). How it separates good pairs from failures is measured
    in docs/quality-filter.md.
    """
    fine = _chroma(lq)
    degraded, clean = quarter(fine), quarter(_chroma(gt))
    grain = (quarter(fine**2) - degraded**2).sum(axis=2)
    kept = (degraded * clean).sum(axis=2) / ((clean**2).sum(axis=2) + _FAINT)
    strange = degraded - np.clip(kept, 0, 1)[:, :, None] * clean
    found = np.maximum(_variance(strange) - _GRAIN * local_mean(grain, _WINDOW), 0)
    reach = _REACH.get(degradation, 1)
    explained = cv2.dilate(np.sqrt(_variance(clean)), np.ones((reach, reach), np.uint8))
    stray = float(np.maximum(np.sqrt(found) - explained, 0).mean())
    stray += max(_cast(degraded, clean) - _TINT, 0)
    return stray / max(float(cv2.absdiff(lq, gt).mean()) / 255, _LEAST)


def _chroma(image: Image) -> Planes:
    red, green, blue = np.moveaxis(image.astype(np.float32) / 255, 2, 0)
    return np.stack([red - green, (red + green) / 2 - blue], axis=2)


def _cast(degraded: Planes, clean: Planes) -> float:
    """Chroma that the picture as a whole has gained, beside the share of `clean`'s that is left.

    That share is what explains most, at least the slope of the regression on `clean`: a veil leaves
    as much of the mean as of the differences; blur and drops leave fewer differences.
    """
    own, mean = (planes.mean(axis=(0, 1)) for planes in (clean, degraded))
    common = ((degraded - mean) * (clean - own)).sum(axis=2).mean()
    slope = np.clip(common / (((clean - own) ** 2).sum(axis=2).mean() + _FAINT), 0, 1)
    left = np.clip(mean @ own / (own @ own + _FAINT), slope, 1)
    return float(np.hypot(*(mean - left * own)))


def _variance(chroma: Planes) -> Planes:
    """Of both planes together, in windows."""
    mean = local_mean(chroma, _WINDOW)
    spread = np.maximum(local_mean(chroma**2, _WINDOW) - mean**2, 0).sum(axis=2)
    return np.asarray(spread, np.float32)
