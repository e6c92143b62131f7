"""Draws of single parameters, rounded so that a recipe reads well and replays exactly."""

from __future__ import annotations

import numpy as np

DIGITS = 4


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw from U(low, high)."""
    return round(float(rng.uniform(low, high)), DIGITS)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a positive value whose logarithm is uniform between those of `low` and `high`."""
    return round(float(np.exp(rng.uniform(np.log(low), np.log(high)))), DIGITS)


def chance(rng: np.random.Generator, probability: float) -> bool:
    """Draw true with the given probability."""
    return bool(rng.random() < probability)
