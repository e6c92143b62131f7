"""From a Bayer mosaic (RGGB) to three channels, by linear filters.

Linear, so that the noise of a mosaic can be demosaiced by itself. Bilinear, and the gradient
corrected filters of Malvar, He and Cutler (ICASSP 2004, figure 2).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from gends.models.pixels import Photo, Plane

CROSS, ROW, DIAGONAL = "cross", "row", "diagonal"
"""Where the neighbours of the wanted colour lie."""

FILTERS: dict[str, dict[str, npt.NDArray[np.float64]]] = {
    "bilinear": {
        CROSS: np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / 4,
        ROW: np.array([[0, 0, 0], [1, 0, 1], [0, 0, 0]]) / 2,
        DIAGONAL: np.array([[1, 0, 1], [0, 0, 0], [1, 0, 1]]) / 4,
    },
    "malvar": {
        CROSS: np.array(
            [
                [0, 0, -2, 0, 0],
                [0, 0, 4, 0, 0],
                [-2, 4, 8, 4, -2],
                [0, 0, 4, 0, 0],
                [0, 0, -2, 0, 0],
            ]
        )
        / 16,
        ROW: np.array(
            [
                [0, 0, 1, 0, 0],
                [0, -2, 0, -2, 0],
                [-2, 8, 10, 8, -2],
                [0, -2, 0, -2, 0],
                [0, 0, 1, 0, 0],
            ]
        )
        / 16,
        DIAGONAL: np.array(
            [
                [0, 0, -3, 0, 0],
                [0, 4, 0, 4, 0],
                [-3, 0, 12, 0, -3],
                [0, 4, 0, 4, 0],
                [0, 0, -3, 0, 0],
            ]
        )
        / 16,
    },
}

RED, GREEN, BLUE = range(3)


def mosaic(channels: Photo) -> Plane:
    """What the pixels behind a colour filter array see, (H, W), of (H, W, 3)."""
    plane: Plane = channels[..., GREEN].copy()
    plane[0::2, 0::2] = channels[0::2, 0::2, RED]
    plane[1::2, 1::2] = channels[1::2, 1::2, BLUE]
    return plane


def demosaic(plane: Plane, method: str) -> Photo:
    """All three channels, (H, W, 3), of a mosaic (H, W)."""
    filters = FILTERS[method]
    # Reflection about the border's pixel keeps red on red.
    cross, row, column, diagonal = (
        cv2.filter2D(plane, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
        for kernel in (filters[CROSS], filters[ROW], filters[ROW].T, filters[DIAGONAL])
    )
    out = np.repeat(plane[..., np.newaxis], 3, axis=2)
    out[0::2, 0::2, GREEN], out[1::2, 1::2, GREEN] = cross[0::2, 0::2], cross[1::2, 1::2]
    for colour, own, other in ((RED, 0, 1), (BLUE, 1, 0)):
        out[own::2, other::2, colour] = row[own::2, other::2]
        out[other::2, own::2, colour] = column[other::2, own::2]
        out[other::2, other::2, colour] = diagonal[other::2, other::2]
    return out
