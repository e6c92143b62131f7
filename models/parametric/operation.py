"""What every physical degradation is: parameters to draw, and a renderer from strength to image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gends.models.pixels import Photo

Size = tuple[int, int]
"""Height and width in pixels."""

Parameters = dict[str, Any]
"""Everything random about a degradation but its strength and its noise fields, as JSON values.
Lengths are fractions of the image's shorter side, so that parameters fit an image of any size."""

Renderer = Callable[[float], Photo]
"""Strength in [0, 1] to the degraded image: 0 gives the image back, and the mean absolute
difference from it does not fall as the strength rises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One physical degradation as a pure function of (image, parameters, strength, seed)."""

    degradation: str
    """A key of `gends.models.degradations.DEGRADATIONS`."""
    version: int
    """Raised whenever equal arguments give another image than before."""
    draw: Callable[[np.random.Generator], Parameters]
    """Draws the parameters."""
    prepare: Callable[[Photo, Parameters, int], Renderer]
    """Makes from (image, parameters, seed) all that does not depend on the strength, once."""

    def apply(self, image: Photo, parameters: Parameters, strength: float, seed: int) -> Photo:
        """Degrade `image` (float32, (H, W, 3), [0, 1]) with `strength` in [0, 1]."""
        if not 0.0 <= strength <= 1.0:
            raise ValueError(f"strength of {self.degradation} is {strength}; it must lie in [0, 1]")
        return self.prepare(image, parameters, seed)(strength)
