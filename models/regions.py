"""Region maps (to be replaced)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Shape = Literal["rectangles", "voronoi"]
MOST_REGIONS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionMap:
    """Which recipe rules at which pixel."""

    count: int
    shape: Shape
    feather: float
    seed: int
