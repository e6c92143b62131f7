"""Raindrops on the lens: some places are covered, all others are the photograph."""

from __future__ import annotations

import numpy as np

from gends.models.anchoring.plane import smooth
from gends.models.pixels import Photo

AREA, EDGE = 3.0, 1.5
"""Standard deviations in pixels: what is looked at to tell drops, and their edges."""
ABOVE, FADE = 1.2, 0.35
"""Where drops begin, in usual changes, and over what share of the largest they fade in."""


def drops_on(photograph: Photo, painted: Photo) -> Photo:
    """What was painted where it changes more than it usually does, the photograph elsewhere."""
    residual = painted - photograph
    change = smooth(np.abs(residual).mean(axis=2), AREA)
    usual, largest = np.median(change), np.percentile(change, 97)
    cover = (change - ABOVE * usual) / (FADE * (largest - usual) + 1e-4)
    cover = np.clip(cover, 0, 1).astype(np.float32)
    return photograph + residual * smooth(cover, EDGE)[..., np.newaxis]
