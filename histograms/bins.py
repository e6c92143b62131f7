"""Uniform bins of one severity axis."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Bins:
    """`count` half-open bins of equal width over [low, high)."""

    count: int
    low: float
    high: float

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"bins need a count of at least 1, got {self.count}")
        if not (isfinite(self.low) and isfinite(self.high) and 0 <= self.low < self.high):
            raise ValueError(f"bins need 0 <= low < high, got low={self.low}, high={self.high}")

    @property
    def width(self) -> float:
        """Width of one bin."""
        return (self.high - self.low) / self.count

    @property
    def edges(self) -> npt.NDArray[np.float64]:
        """The count + 1 bin edges, ascending."""
        return np.array(_edges(self))

    @property
    def centers(self) -> npt.NDArray[np.float64]:
        """The middle of each bin."""
        edges = self.edges
        return (edges[:-1] + edges[1:]) / 2

    def index(self, value: float) -> int:
        """Bin that holds `value`; values at or above `high` belong to the last bin.

        That is GenDeg's rule, so counts and the model's conditioning agree. Raises ValueError for
        values below `low` and for values that are not finite.
        """
        if not (isfinite(value) and value >= self.low):
            raise ValueError(f"severity must be finite and at least {self.low:g}, got {value}")
        return min(bisect_right(_edges(self), value) - 1, self.count - 1)


@lru_cache(maxsize=64)
def _edges(bins: Bins) -> tuple[float, ...]:
    return tuple(np.linspace(bins.low, bins.high, bins.count + 1).tolist())


MU_BINS = Bins(count=128, low=0.0, high=0.7)
"""Bins of mu in GenDeg (arXiv 2411.17687)."""

SIGMA_BINS = Bins(count=128, low=0.0, high=0.4)
"""Bins of sigma in GenDeg (arXiv 2411.17687)."""
