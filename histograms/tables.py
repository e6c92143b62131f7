"""The counts behind a severity profile: per dataset, and pooled per degradation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float64]
"""Pairs per bin. Fractions are expected counts, as when a histogram is rebuilt from quantiles."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class DatasetHistogram:
    """How often one dataset shows each mu and each sigma."""

    mu: Counts
    """Pairs per bin of mu, shape (mu bins,)."""
    sigma: Counts
    """Pairs per bin of sigma, shape (sigma bins,). Only its range is drawn from."""
    weight: float = 1.0
    """How often this dataset is drawn, relative to the degradation's others."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "mu", _checked(self.mu, 1, "mu counts"))
        object.__setattr__(self, "sigma", _checked(self.sigma, 1, "sigma counts"))
        object.__setattr__(self, "weight", float(self.weight))
        if not (isfinite(self.weight) and self.weight >= 0):
            raise ValueError(f"weight must be a finite number >= 0, got {self.weight}")

    @property
    def pairs(self) -> float:
        """Number of pairs behind the histogram."""
        return float(self.mu.sum())


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SeverityTable:
    """Everything known about how severe one degradation is."""

    datasets: Mapping[str, DatasetHistogram]
    """Histograms by dataset name. Kept in order of name, so that equal tables draw alike."""
    sigma_given_mu: Counts
    """Pairs of all datasets together, shape (mu bins, sigma bins)."""

    def __post_init__(self) -> None:
        table = _checked(self.sigma_given_mu, 2, "sigma_given_mu counts")
        object.__setattr__(self, "sigma_given_mu", table)
        datasets = dict(sorted(self.datasets.items()))
        object.__setattr__(self, "datasets", datasets)
        if not any(histogram.weight for histogram in datasets.values()):
            raise ValueError(
                f"at least one dataset needs a weight above 0, got {len(datasets)} datasets "
                "and no such weight"
            )

    @property
    def shares(self) -> dict[str, float]:
        """Probability with which each dataset is drawn."""
        total = sum(histogram.weight for histogram in self.datasets.values())
        return {name: histogram.weight / total for name, histogram in self.datasets.items()}


def span(counts: Counts) -> tuple[int, int]:
    """First non-empty bin and one past the last, of counts that are not all zero."""
    occupied = np.flatnonzero(counts)
    return int(occupied[0]), int(occupied[-1]) + 1


def _checked(values: npt.ArrayLike, dimensions: int, what: str) -> Counts:
    counts = np.array(values, dtype=np.float64)
    if counts.ndim != dimensions:
        raise ValueError(f"{what} must have {dimensions} dimension(s), got shape {counts.shape}")
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError(f"{what} must be finite and not negative, got {counts.min():g}")
    if not counts.any():
        raise ValueError(f"{what} are all zero: leave out what has no pairs")
    counts.setflags(write=False)
    return counts
