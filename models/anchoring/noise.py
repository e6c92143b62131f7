"""Noise: only its strength is kept of what was painted, as the autoencoder smooths it."""

from __future__ import annotations

import numpy as np

from gends.models.anchoring.plane import smooth
from gends.models.pixels import Photo

GRAIN = 3.0
"""Standard deviation in pixels of what is no longer noise but an uneven tone."""
TO_DEVIATION = 1.4826
"""A normal distribution's standard deviation, by the median of its absolute values."""


def noise_like(unexplained: Photo, seed: int) -> Photo:
    """Normal noise as strong as the finest of what is seen and no tone accounts for.

    Texture that the autoencoder lost counts with it, as far as its tones are not kept either.
    Half of all values decide how strong: a painted edge that moved is no noise.
    """
    fine = unexplained - smooth(unexplained, GRAIN)
    strength = np.float32(TO_DEVIATION * np.median(np.abs(fine)))
    grains = np.random.default_rng(seed).standard_normal(unexplained.shape, np.float32)
    return np.asarray(strength * grains, np.float32)
