"""Rain and snow: a smooth veil, and bodies brighter than what is behind them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from gends.models.anchoring.plane import smooth
from gends.models.anchoring.streaks import along_streaks
from gends.models.pixels import Photo, Plane

VEIL, NEAR = 32.0, 8.0
"""Standard deviations in pixels of what counts as veil, and of a body's surroundings."""
DENSEST = 0.9
"""Largest share of the light that a veil takes."""
BRIGHTER = 4.0
"""How far bodies may be raised to make up for what was painted between them."""
FLAKE = 0.8
"""Standard deviation in pixels of the smallest flake."""


def rain_on(photograph: Photo, painted: Photo) -> Photo:
    """Veil and streaks of `painted` over the photograph."""
    return _particles_on(photograph, painted, along_streaks)


def snow_on(photograph: Photo, painted: Photo) -> Photo:
    """Veil and flakes of `painted` over the photograph."""
    return _particles_on(photograph, painted, partial(smooth, deviation=FLAKE))


def _particles_on(photograph: Photo, painted: Photo, shaped: Callable[[Plane], Plane]) -> Photo:
    """Bodies are white, and raised until they vary as all that was painted did, or `BRIGHTER`."""
    residual = painted - photograph
    veil = smooth(residual, VEIL)
    fine = (residual - veil).mean(axis=2)
    bodies = _bodies(fine, photograph.mean(axis=2), shaped)
    bodies *= min(float(fine.std()) / max(float(bodies.std()), 1e-4), BRIGHTER)
    return _veiled(photograph, veil - bodies.mean()) + bodies[..., np.newaxis]


def _bodies(fine: Plane, grey: Plane, shaped: Callable[[Plane], Plane]) -> Plane:
    """What brightens, is smaller than its surroundings and no detail of the photograph.

    `shaped` leaves of it what has the shape of a body.

    Faults of painting darken as often as they brighten, bodies do not: what darkens around a place
    says how much of what brightens there is a fault.
    """
    detail = grey - smooth(grey, NEAR)
    peaks = fine - smooth(fine, NEAR)
    follows = smooth(peaks * detail, NEAR) / (smooth(detail * detail, NEAR) + 1e-4)
    peaks = shaped(peaks - follows * detail)
    faults = np.sqrt(2 * smooth(np.square(np.minimum(peaks, 0)), NEAR))
    return np.asarray(np.maximum(peaks - faults, 0), np.float32)


def _veiled(photograph: Photo, veil: Photo) -> Photo:
    """Towards white where the veil brightens, towards black where it darkens, by its share."""
    near = smooth(photograph, NEAR)
    white = np.clip(veil / np.maximum(1 - near, 0.05), 0, DENSEST)
    black = np.clip(-veil / np.maximum(near, 0.05), 0, DENSEST)
    return np.asarray(photograph + white * (1 - photograph) - black * photograph, np.float32)
