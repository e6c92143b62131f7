"""The plots of the report, from rows of `summary.SCHEMA`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiment import TESTS
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from summary import LOWER_IS_BETTER
from tables import OTHERS, Row, arm_title, degradations, find, restorers

from gends.pipeline.evaluation.plots import INK
from gends.pipeline.evaluation.tables import metric_heading

TEST_COLOURS = dict(zip(TESTS, ("#9aa5b1", "#4c78a8"), strict=True))
ARM_COLOURS = dict(
    zip(OTHERS, ("#9aa5b1", "#4c78a8", "#72b7b2", "#f2a541", "#e45756"), strict=True)
)
Points = Mapping[str, Sequence[Row | None]]
"""Colour's name → a row for each line of a panel."""


def plot_gains(rows: Sequence[Row], metrics: Sequence[str], path: Path) -> None:
    """What each arm gains over `existing`, on both test sets."""

    def points(restorer: str, metric: str) -> Points:
        return {
            test: [_gain(rows, restorer, metric, test, arm, None) for arm in OTHERS]
            for test in TESTS
        }

    lines = [arm_title(arm) for arm in OTHERS]
    _draw(rows, metrics, points, lines, TEST_COLOURS, path)


def plot_degradations(rows: Sequence[Row], metrics: Sequence[str], test: str, path: Path) -> None:
    """The same by degradation, on one test set."""
    names = degradations(rows)

    def points(restorer: str, metric: str) -> Points:
        return {
            arm: [_gain(rows, restorer, metric, test, arm, name) for name in names]
            for arm in OTHERS
        }

    lines = [name.replace("_", " ") for name in names]
    _draw(rows, metrics, points, lines, ARM_COLOURS, path)


def _gain(
    rows: Sequence[Row], restorer: str, metric: str, test: str, arm: str, degradation: str | None
) -> Row | None:
    return find(
        rows,
        kind="gain",
        restorer=restorer,
        metric=metric,
        test=test,
        arm=arm,
        degradation=degradation,
    )


def _draw(
    rows: Sequence[Row],
    metrics: Sequence[str],
    points: Any,
    lines: Sequence[str],
    colours: Mapping[str, str],
    path: Path,
) -> None:
    """A panel per restorer and metric; a line per name, a point with its interval per colour."""
    names = restorers(rows)
    size = (1.8 + 2.8 * len(metrics), 0.9 + (0.5 + 0.42 * len(lines)) * len(names))
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    panels: Any = figure.subplots(
        len(names), len(metrics), squeeze=False, sharey=True, sharex="col"
    )
    for restorer, row in zip(names, panels, strict=True):
        for metric, axes in zip(metrics, row, strict=True):
            _panel(axes, points(restorer, metric), lines, colours)
            axes.set_title(restorer, loc="left", fontsize=9.5, color=INK)
    for metric, axes in zip(metrics, panels[-1], strict=True):
        heading = metric_heading(metric, LOWER_IS_BETTER[metric])
        axes.set_xlabel(f"{heading}, minus that of existing", fontsize=8.5, color=INK)
    handles, labels = panels.flat[0].get_legend_handles_labels()
    shown = [arm_title(label) for label in labels]
    figure.legend(handles, shown, loc="outside upper right", ncols=3, frameon=False, fontsize=8.5)
    # Without this a PNG names the version of what drew it.
    figure.savefig(path, dpi=150, facecolor="white", metadata={"Software": None})


def _panel(axes: Axes, points: Points, lines: Sequence[str], colours: Mapping[str, str]) -> None:
    axes.axvline(0, color=INK, linewidth=0.8)
    for number, (name, rows) in enumerate(points.items()):
        shift = 0.16 * (number - (len(points) - 1) / 2)
        found = [(place, row) for place, row in enumerate(rows) if row is not None]
        places = [place + shift for place, _ in found]
        values = [row["value"] for _, row in found]
        ends = [
            [0 if row["low"] is None else abs(row["value"] - row[end]) for _, row in found]
            for end in ("low", "high")
        ]
        axes.errorbar(
            values, places, xerr=ends, fmt="o", markersize=4, color=colours[name], label=name
        )
    axes.set_yticks(range(len(lines)), lines, fontsize=8.5, color=INK)
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)
