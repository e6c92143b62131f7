"""Who says how far things are in a photograph."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from gends.models.degrader import Image
from gends.models.pixels import Plane

PROCEDURAL = "procedural"
"""What steps say where no estimator was given: the operation laid its depth itself, from its own
parameters and seed (`gends.models.parametric.depth.procedural`)."""


class DepthEstimator(Protocol):
    """Relative depth of photographs; a function of the photograph alone."""

    @property
    def name(self) -> str:
        """What steps record: an id with its revision, or a digest of the weights."""

    def fingerprint(self) -> dict[str, str]:
        """What else decides its numbers: versions of libraries."""

    def __call__(self, image: Image) -> Plane:
        """uint8 (H, W, 3) to relative depth: float32, (H, W), in [0, 1], 1 farthest."""


def estimate(estimator: DepthEstimator, image: Image) -> Plane:
    """Relative depth of `image`.

    Raises:
        ValueError: what the estimator gives is none.
    """
    depth = estimator(image)
    if depth.shape != image.shape[:2] or depth.dtype != np.float32:
        raise ValueError(
            f"depth by {estimator.name} is {depth.dtype} {depth.shape}; it must be float32 "
            f"{image.shape[:2]}, a value for each pixel"
        )
    low, high = float(depth.min()), float(depth.max())
    if not (low >= 0.0 and high <= 1.0):  # not a number is refused as well
        raise ValueError(f"depth by {estimator.name} is {low:g} to {high:g}; it must lie in [0, 1]")
    return depth
