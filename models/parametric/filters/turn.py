"""Mean of what a camera sees that rolls or zooms while the shutter is open."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from gends.models.pixels import Photo

Complex = npt.NDArray[np.complex128]

STEP = 0.7
"""Pixels between two positions, where the motion is fastest."""


def turned(
    scene: Photo, centre: tuple[float, float], reach: complex, speed: npt.NDArray[np.float64]
) -> Photo:
    """Average `scene` over the similarities z → e^(reach·t)·z about `centre`, t in [−1/2, 1/2].

    An imaginary `reach` rolls the camera by as many radians, a real one zooms. `speed`, sampled
    evenly over the way, tells how long the camera stays: its inverse weights the positions. The
    turns about one centre commute, so that n² positions cost 2n: those of a short stretch are
    averaged first, then the stretches.
    """
    height, width = scene.shape[:2]
    corners = [complex(x, y) - complex(*centre) for x in (0, width) for y in (0, height)]
    longest = abs(reach) * max(map(abs, corners))
    count = max(1, int(np.ceil(np.sqrt(longest / STEP))))
    coarse = (np.arange(count) + 0.5) / count - 0.5
    stay = 1 / np.interp(coarse + 0.5, np.linspace(0, 1, len(speed)), speed)
    weights = stay / stay.sum()
    fine = _averaged(scene, centre, np.exp(reach * coarse / count), np.full(count, 1 / count))
    return _averaged(fine, centre, np.exp(reach * coarse), weights)


def _averaged(
    scene: Photo,
    centre: tuple[float, float],
    turns: Complex,
    weights: npt.NDArray[np.float64],
) -> Photo:
    """Weighted mean over the turns, divided by their mean: no pixel moves on average."""
    turns = turns / (turns @ weights)
    mean = np.zeros_like(scene)
    for turn, weight in zip(turns, weights, strict=True):
        mean += np.float32(weight) * _turn(scene, centre, complex(turn))
    return mean


def _turn(scene: Photo, centre: tuple[float, float], turn: complex) -> Photo:
    moved = complex(*centre) * (1 - turn)
    matrix = np.array([[turn.real, -turn.imag, moved.real], [turn.imag, turn.real, moved.imag]])
    return np.asarray(
        cv2.warpAffine(
            scene,
            matrix,
            (scene.shape[1], scene.shape[0]),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )
    )
