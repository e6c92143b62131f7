"""Plots: each metric against severity, one panel per degradation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gends.pipeline.evaluation.tables import datasets_of, metric_heading, numbered

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#22303c"
COLOURS = {"degraded": "#9aa5b1", "restored": "#4c78a8"}
COLUMNS = 3
FORMATS = ("png", "svg")


def plot(summary: pa.Table, folder: Path) -> list[Path]:
    """Draw `<dataset>-<metric>.png` and `.svg` into a folder; equal rows give equal files.

    Awkward characters of names become `-`, and files that would be called alike are numbered.
    Points are means of the pairs of a bin of severity, at their mean mu; bands are confidence
    intervals.
    """
    folder.mkdir(parents=True, exist_ok=True)
    bins = summary.filter(pc.is_valid(summary["mu_low"]))
    found = [
        (name, metric, rows.filter(pc.equal(rows["metric"], metric)))
        for name, rows in datasets_of(bins)
        for metric in pc.unique(rows["metric"]).to_pylist()
    ]
    stems = numbered(_stem(name, metric) for name, metric, _ in found)
    paths = []
    for (name, _, rows), stem in zip(found, stems, strict=True):
        figure = _figure(name, rows)
        for kind in FORMATS:
            path = folder / f"{stem}.{kind}"
            _save(figure, path)
            paths.append(path)
    return paths


def _stem(name: str, metric: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{name}-{metric}").strip("-.")


def _save(figure: Figure, path: Path) -> None:
    from matplotlib import rc_context  # noqa: PLC0415

    # Without these an SVG names the hour and has ids of its own.
    metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    with rc_context({"svg.hashsalt": "gends"}):
        figure.savefig(path, dpi=150, facecolor="white", metadata=metadata)


def _figure(name: str, rows: pa.Table) -> Figure:
    # Not pyplot: it keeps every figure alive, and asks for a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    degradations = pc.unique(rows["degradation"]).to_pylist()
    columns = min(COLUMNS, len(degradations))
    height = -(-len(degradations) // columns)
    figure = Figure(figsize=(0.6 + 3.0 * columns, 0.9 + 2.4 * height), layout="constrained")
    FigureCanvasAgg(figure)
    panels: Any = figure.subplots(height, columns, squeeze=False, sharex=True)
    for axes, degradation in zip(panels.flat, degradations, strict=False):
        _panel(axes, degradation, rows.filter(pc.equal(rows["degradation"], degradation)))
    for axes in panels.flat[len(degradations) :]:
        axes.set_axis_off()
    heading = metric_heading(rows["metric"][0].as_py(), rows["lower_is_better"][0].as_py())
    figure.supylabel(heading, color=INK, fontsize=10)
    figure.supxlabel("measured severity μ, mean of |lq − gt|", color=INK, fontsize=10)
    figure.suptitle(name, color=INK, fontweight="bold", fontsize=11)
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower right", ncols=2, frameon=False, fontsize=9)
    return figure


def _panel(axes: Axes, degradation: str, rows: pa.Table) -> None:
    for images, colour in COLOURS.items():
        found = rows.filter(pc.equal(rows["images"], images)).sort_by("mu_low")
        mu, value, low, high = (
            np.array(found[name].to_pylist(), dtype=float)
            for name in ("mu", "value", "low", "high")
        )
        axes.plot(mu, value, color=colour, marker="o", markersize=3.5, label=images)
        axes.fill_between(mu, low, high, color=colour, alpha=0.2, linewidth=0)
    pairs = sum(rows.filter(pc.equal(rows["images"], "restored"))["pairs"].to_pylist())
    axes.set_title(degradation.replace("_", " "), loc="left", fontsize=9.5, color=INK)
    axes.set_title(f"{pairs} pairs", loc="right", fontsize=8, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
