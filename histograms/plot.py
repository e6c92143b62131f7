"""Pictures of a severity profile."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gends.histograms.bins import Bins
from gends.histograms.profile import Profile
from gends.histograms.summary import quantiles
from gends.histograms.tables import Counts, DatasetHistogram, SeverityTable, span

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FILL, ACCENT = "#22303c", "#4c78a8", "#e4572e"
MARGIN = 0.04


def plot(profile: Profile, out_dir: str | os.PathLike[str]) -> list[Path]:
    """Draw two PNGs per degradation into `out_dir` and return their paths.

    `<degradation>-joint.png` is the table of sigma given mu as a heat map;
    `<degradation>-mu.png` has the histogram of mu of every dataset, one above the other.
    """
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, table in profile.degradations.items():
        for kind, figure in (
            ("joint", _joint(name, table, profile)),
            ("mu", _datasets(name, table, profile.mu_bins)),
        ):
            path = folder / f"{name}-{kind}.png"
            figure.savefig(path, dpi=150, facecolor="white")
            paths.append(path)
    return paths


def _figure(width: float, height: float) -> Figure:
    # Not pyplot: it keeps every figure alive, and asks for a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _joint(name: str, table: SeverityTable, profile: Profile) -> Figure:
    from matplotlib.colors import LogNorm  # noqa: PLC0415

    counts = table.sigma_given_mu
    figure = _figure(6.4, 4.8)
    axes = figure.subplots()
    low, high = float(counts[counts > 0].min()), float(counts.max())
    mesh = axes.pcolormesh(
        profile.mu_bins.edges,
        profile.sigma_bins.edges,
        np.ma.masked_equal(counts.T, 0),
        cmap="YlGnBu",
        norm=LogNorm(vmin=max(low, high / 1e3), vmax=high) if high > low else None,
    )
    figure.colorbar(mesh, ax=axes, label="pairs per bin", pad=0.02)
    rows = np.flatnonzero(counts.any(axis=1))
    medians = [quantiles(counts[row], profile.sigma_bins, [0.5])[0] for row in rows]
    axes.plot(
        profile.mu_bins.centers[rows], medians, color=ACCENT, linewidth=1.6, label="median of σ"
    )
    axes.set_xlim(*_limits(counts.sum(axis=1), profile.mu_bins))
    axes.set_ylim(*_limits(counts.sum(axis=0), profile.sigma_bins))
    axes.set_xlabel("μ, mean of |lq − gt|")
    axes.set_ylabel("σ, standard deviation of |lq − gt|")
    axes.legend(loc="upper left", frameon=False)
    pairs = f"{counts.sum():,.0f} pairs of {len(table.datasets)} datasets"
    _title(axes, _heading(name), pairs)
    return figure


def _datasets(name: str, table: SeverityTable, bins: Bins) -> Figure:
    count = len(table.datasets)
    figure = _figure(6.4, 1.0 + 1.15 * count)
    stacked: Any = figure.subplots(count, 1, sharex=True, squeeze=False)
    shares = table.shares
    for axes, (dataset, histogram) in zip(stacked[:, 0], table.datasets.items(), strict=True):
        _dataset(axes, histogram, bins)
        _title(axes, dataset, f"{histogram.pairs:,.0f} pairs · drawn {shares[dataset]:.1%}")
    total = np.sum([histogram.mu for histogram in table.datasets.values()], axis=0)
    stacked[-1, 0].set_xlim(*_limits(total, bins))
    stacked[-1, 0].set_xlabel("μ, mean of |lq − gt|      (line: median, band: 5 % to 95 %)")
    figure.suptitle(_heading(name), color=INK, fontweight="bold")
    return figure


def _dataset(axes: Axes, histogram: DatasetHistogram, bins: Bins) -> None:
    p5, p50, p95 = quantiles(histogram.mu, bins, [0.05, 0.5, 0.95])
    axes.axvspan(p5, p95, color=FILL, alpha=0.12, linewidth=0)
    axes.stairs(histogram.mu / histogram.pairs, bins.edges, fill=True, color=FILL)
    axes.axvline(p50, color=ACCENT, linewidth=1.6)
    axes.set_yticks([])
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _limits(counts: Counts, bins: Bins) -> tuple[float, float]:
    first, end = span(counts)
    low, high = float(bins.edges[first]), float(bins.edges[end])
    margin = MARGIN * (high - low)
    return low - margin, high + margin


def _title(axes: Axes, left: str, right: str) -> None:
    axes.set_title(left, loc="left", fontsize=10, color=INK, fontweight="bold")
    axes.set_title(right, loc="right", fontsize=8.5, color=INK)


def _heading(name: str) -> str:
    return name.replace("_", " ")
