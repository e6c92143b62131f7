"""Draw what `scale.py` measured: python benchmarks/scale_plots.py FIGURES.json FOLDER"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

Results = dict[str, dict[str, Any]]
RESUME_PARTS = {
    "opening": "open, check identity",
    "lease": "take the lease",
    "listing": "list what is made",
}


def main(figures: Path, folder: Path) -> None:
    known: dict[str, Results] = json.loads(figures.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    if known["builds"]:
        _save(draw_builds(in_order(known["builds"])), folder / "scale-builds.png")
    if known["resumes"]:
        _save(draw_resumes(in_order(known["resumes"])), folder / "scale-resume.png")


def in_order(results: Results) -> list[dict[str, Any]]:
    return [results[size] for size in sorted(results, key=int)]


def draw_builds(builds: list[dict[str, Any]]) -> plt.Figure:
    figure, (time, memory, disk) = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
    sizes = [build["requests"] for build in builds]
    time.plot(sizes, [build["ms_per_request"] for build in builds], "o-")
    _label(time, "time per request", "ms")
    peaks = [build["driver_private_peak_mb"] for build in builds]
    memory.plot(sizes, peaks, "o-", label="largest")
    course = [(done, size) for done, size in builds[-1]["driver_private_mb"] if done]
    memory.plot(*zip(*course, strict=True), label="course of the largest build")
    memory.legend(fontsize=8)
    _label(memory, "memory of the driver", "MB, without Ray's object store")
    for name in ("manifest", "catalog", "identity"):
        values = [build[f"{name}_bytes_per_request"] for build in builds]
        disk.plot(sizes, values, "o-", label=name)
    disk.legend(fontsize=8)
    _label(disk, "bookkeeping per request", "bytes")
    for axes in (time, memory, disk):
        axes.set_xlabel("requests")
    return figure


def draw_resumes(resumes: list[dict[str, Any]]) -> plt.Figure:
    figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
    sizes = [result["shards"] for result in resumes]
    for name, label in RESUME_PARTS.items():
        axes.plot(sizes, [result[name] for result in resumes], "o-", label=label)
    axes.plot(sizes, [result["ours"] for result in resumes], "ko-", label="all of these")
    axes.axhline(2, color="grey", linestyle=":", label="promised")
    axes.legend(fontsize=8)
    _label(axes, "time to resume, less imports and Ray", "seconds")
    axes.set_xlabel("sealed shards")
    return figure


def _label(axes: Axes, title: str, unit: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_ylabel(unit)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)


def _save(figure: plt.Figure, path: Path) -> None:
    figure.savefig(path, dpi=80)
    plt.close(figure)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
