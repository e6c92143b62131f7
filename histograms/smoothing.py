"""Kernel smoothing of sparse histograms.

Published tables hold as few as 22 pairs, whose empty bins are gaps in the sample rather than in
nature. A Gaussian kernel fills them, just wide enough that about `ENOUGH` pairs stand behind every
smoothed bin, and never wider than `WIDEST` bin, so that quantiles move by a fraction of a bin. A
dense histogram stays as it is. Mass is reflected at the ends of the data:
nothing is drawn below the lowest or above the highest bin that was seen.
"""

from __future__ import annotations

from math import ceil, pi, sqrt

import numpy as np

from gends.histograms.tables import Counts, span

ENOUGH = 16.0
"""Pairs behind a smoothed bin: a relative error of 1/sqrt(16), a quarter."""

WIDEST = 1.0
"""Largest standard deviation of the kernel, in bins."""

REACH = 3.0
"""Where the kernel is cut off, in standard deviations."""


def bandwidth(pairs_per_bin: float) -> float:
    """Standard deviation of the kernel, in bins, for bins of so many pairs on average.

    A Gaussian of standard deviation h averages as much noise away as 2·sqrt(pi)·h equal bins.
    """
    if pairs_per_bin >= ENOUGH:
        return 0.0
    return min(WIDEST, ENOUGH / (2 * sqrt(pi) * pairs_per_bin))


def smooth(counts: Counts) -> Counts:
    """Smoothed copy of a histogram, shape (bins,), of the same total and range."""
    first, last = span(counts)
    total = float(counts.sum())
    h = bandwidth(total / (last - first))
    smoothed: Counts = counts.copy()
    if h > 0:
        radius = ceil(REACH * h)
        padded = np.pad(counts[first:last], radius, mode="symmetric")
        smoothed[first:last] = np.convolve(padded, _gaussian(h, radius), mode="valid")
    return smoothed


def smooth_rows(table: Counts) -> Counts:
    """Smoothed copy of a table of rows, shape (rows, bins); empty rows stay empty.

    A row that has fewer than `ENOUGH` pairs first takes in its neighbours under the same rule, then
    each row is smoothed by itself.
    """
    smoothed = np.zeros_like(table)
    pairs = table.sum(axis=1)
    rows = np.arange(len(table))
    for row in np.flatnonzero(pairs):
        h = bandwidth(float(pairs[row]))
        near = np.abs(rows - row) <= ceil(REACH * h)
        kernel = np.exp(-0.5 * ((rows[near] - row) / h) ** 2) if h > 0 else np.ones(1)
        smoothed[row] = smooth(kernel @ table[near])
    return smoothed


def _gaussian(h: float, radius: int) -> Counts:
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / h) ** 2)
    normalized: Counts = kernel / kernel.sum()
    return normalized
