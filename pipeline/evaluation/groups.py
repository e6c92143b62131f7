"""Which pairs belong together: all of a dataset, of a degradation, of a range of severities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

SEVERITIES = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 1.0)
"""Edges of bins of the measured mu; the same for all datasets, so that their tables compare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Some pairs of one dataset; what is None is not restricted."""

    degradation: str | None = None
    severity_dataset: str | None = None
    mu_low: float | None = None
    mu_high: float | None = None
    members: npt.NDArray[np.int64]
    """Places in the dataset's table, ascending."""


def check_edges(edges: Sequence[float]) -> None:
    """Raise ValueError unless edges rise from 0 to 1, so that every mu is between two of them."""
    if list(edges) != sorted(set(edges)) or len(edges) < 2 or edges[0] != 0 or edges[-1] != 1:
        raise ValueError(f"edges of severity bins must rise from 0 to 1, got {list(edges)}")


def groups_of(table: pa.Table, edges: Sequence[float] = SEVERITIES) -> Iterator[Group]:
    """All pairs; each degradation; each severity dataset within it; each bin of mu within it.

    Groups without pairs are left out.

    Raises:
        ValueError: see `check_edges`.
    """
    check_edges(edges)
    mu = table["mu"].to_numpy()
    # A mu on the last edge belongs to the last bin.
    bins = np.minimum(np.searchsorted(edges, mu, side="right") - 1, len(edges) - 2)
    degradations = np.array(table["degradation"].to_pylist())
    datasets = np.array(table["severity_dataset"].to_pylist(), dtype=object)
    yield Group(members=np.arange(len(table)))
    for degradation in np.unique(degradations):
        within = degradations == degradation
        name = str(degradation)
        yield Group(degradation=name, members=np.flatnonzero(within))
        for dataset in sorted({str(value) for value in datasets[within] if value is not None}):
            members = np.flatnonzero(within & (datasets == dataset))
            yield Group(degradation=name, severity_dataset=dataset, members=members)
        for number in np.unique(bins[within]):
            low, high = edges[number], edges[number + 1]
            members = np.flatnonzero(within & (bins == number))
            yield Group(degradation=name, mu_low=low, mu_high=high, members=members)
