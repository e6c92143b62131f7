"""Finding the strength at which a degradation has the severity that was asked for."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from gends.models.degrader import Image
from gends.models.parametric.operation import Renderer
from gends.models.pixels import to_uint8

EVALUATIONS = 16
"""Renderings per solve at most."""

DIGITS = 6
"""Decimals of a strength: what the recipe stores is exactly what was rendered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A rendering, and the severity that it really has."""

    strength: float
    mu: float
    """Mean of |lq − gt| on the 8-bit images, RGB in [0, 1]."""
    sigma: float
    """Population standard deviation of |lq − gt| on the 8-bit images, RGB in [0, 1]."""
    lq: Image


def solve(render: Renderer, gt: Image, mu: float, *, tolerance: float) -> Solution:
    """Find the strength whose severity against `gt` differs from `mu` by at most `tolerance`.

    Regula falsi with the Illinois rule (Dowell and Jarratt, BIT 1971), every fourth step a plain
    bisection, on strengths in [0, 1]. When `mu` cannot be reached the nearest rendering met on
    the way is returned: the caller sees by its `mu` how far off it is.
    """
    best = Solution(strength=0.0, mu=0.0, sigma=0.0, lq=gt.copy())
    left, right = 0.0, 1.0
    below, above = -mu, float("inf")
    strength, side = 0.5, 0
    for evaluation in range(EVALUATIONS):
        tried = rendered(render, gt, round(strength, DIGITS))
        error = tried.mu - mu
        best = min(best, tried, key=lambda s: abs(s.mu - mu))
        if abs(best.mu - mu) <= tolerance or (tried.strength == 1.0 and error < 0):
            break
        if error < 0:
            left, below, above = tried.strength, error, above / 2 if side < 0 else above
        else:
            right, above, below = tried.strength, error, below / 2 if side > 0 else below
        side = -1 if error < 0 else 1
        if above == float("inf"):
            strength = 1.0
            continue
        share = 0.5 if evaluation % 4 == 3 else float(np.clip(below / (below - above), 0.02, 0.98))
        strength = left + share * (right - left)
    return best


def rendered(render: Renderer, gt: Image, strength: float) -> Solution:
    """The picture of one strength; at 0 it is `gt` itself, bit for bit."""
    lq = to_uint8(render(strength))
    # Both norms are sums of small integers, exact in double precision.
    mean = cv2.norm(lq, gt, cv2.NORM_L1) / gt.size / 255
    square = cv2.norm(lq, gt, cv2.NORM_L2SQR) / gt.size / 255**2
    sigma = float(np.sqrt(max(square - mean * mean, 0.0)))
    return Solution(strength=strength, mu=mean, sigma=sigma, lq=lq)
