r"""How much restorers gain on real and standard pairs, set by set, with intervals.

    python benchmarks/real_pairs.py --pairs PAIRS --restorer NAME=FOLDER [--restorer …] \
        [--leave-out SET,SET…] [--max-side 640] --out figures.json --table table.md

PAIRS is a tree <degradation>/<set>/{gt,lq} with equal names. Every pair is restored by each
restorer (a folder that `gends-build train restorer` wrote); PSNR and SSIM of RGB, 8 bits, are
compared with those of the degraded picture itself. Larger pairs are reduced to --max-side first, so
that a CPU gets through them. Intervals are bootstrapped over pairs (95 %), from five pairs on.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import torch
from PIL import Image as Pillow

from gends.jobs.restoring.trained_restorer import Restorer
from gends.models.degrader import Image
from gends.models.metrics.psnr import psnr
from gends.models.metrics.ssim import ssim
from gends.models.pixels import to_unit_tensor
from gends.pipeline.evaluation.bootstrap import mean_interval

RESAMPLES, SEED = 2000, 0
METRICS = {"psnr": psnr, "ssim": ssim}


class Pair(NamedTuple):
    """One pair of a published set."""

    set: str
    name: str
    lq: Image
    gt: Image


@click.command(help=__doc__)
@click.option("--pairs", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--restorer", "restorers", required=True, multiple=True, metavar="NAME=FOLDER")
@click.option("--leave-out", default="", metavar="SET,SET…", help="As cbsd68_sigma25.")
@click.option("--max-side", default=640, show_default=True)
@click.option("--out", required=True, type=click.Path(path_type=Path))
@click.option("--table", required=True, type=click.Path(path_type=Path))
def main(
    pairs: Path, restorers: tuple[str, ...], leave_out: str, max_side: int, out: Path, table: Path
) -> None:
    torch.set_num_threads(1)
    loaded = {
        name: Restorer.open(Path(folder), tile=256, overlap=32, device="cpu", bf16=False)
        for name, _, folder in (one.partition("=") for one in restorers)
    }
    scores: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for pair in find_pairs(pairs, set(leave_out.split(",")), max_side):
        scores[pair.set].append(score(pair, loaded))
        print(f"{pair.set}/{pair.name}", flush=True)
    figures = {name: summary(rows, list(loaded)) for name, rows in sorted(scores.items())}
    out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    table.write_text(markdown(figures, list(loaded)), encoding="utf-8")


def find_pairs(root: Path, left_out: set[str], max_side: int) -> Iterator[Pair]:
    """All pairs of the tree, in order of set and name."""
    for folder in sorted(root.glob("*/*/gt")):
        name = f"{folder.parent.parent.name}/{folder.parent.name}"
        if folder.parent.name in left_out:
            continue
        for gt in sorted(folder.iterdir()):
            lq = folder.parent / "lq" / gt.name
            if lq.is_file():
                yield Pair(name, gt.name, *(opened(file, max_side) for file in (lq, gt)))


def opened(file: Path, max_side: int) -> Image:
    picture = Pillow.open(file).convert("RGB")
    picture.thumbnail((max_side, max_side), Pillow.Resampling.LANCZOS)
    return np.asarray(picture)


def score(pair: Pair, restorers: dict[str, Restorer]) -> dict[str, Any]:
    gt = to_unit_tensor(pair.gt)
    found: dict[str, Any] = {}
    for metric, measured in METRICS.items():
        found[f"input {metric}"] = measured(to_unit_tensor(pair.lq), gt)
    for name, restorer in restorers.items():
        restored = to_unit_tensor(restorer(pair.lq))
        for metric, measured in METRICS.items():
            found[f"{name} {metric}"] = measured(restored, gt)
    return found


def summary(rows: list[dict[str, Any]], names: list[str]) -> dict[str, Any]:
    """Means of a set, gains over the input, and of every restorer over the first one."""
    facts: dict[str, Any] = {"pairs": len(rows)}
    for metric in METRICS:
        values = {
            name: np.array([row[f"{name} {metric}"] for row in rows]) for name in ("input", *names)
        }
        facts[metric] = {name: float(found.mean()) for name, found in values.items()}
        facts[f"{metric} gain"] = {
            name: with_interval(values[name] - values["input"]) for name in names
        }
        facts[f"{metric} over {names[0]}"] = {
            name: with_interval(values[name] - values[names[0]]) for name in names[1:]
        }
    return facts


def with_interval(values: np.ndarray[Any, Any]) -> list[float | None]:
    """Mean, and the ends of its interval where there are enough pairs."""
    photographs = np.arange(len(values))
    interval = mean_interval(values, photographs, resamples=RESAMPLES, seed=SEED)
    ends = (None, None) if interval is None else (interval.low, interval.high)
    return [float(values.mean()), *ends]


def markdown(figures: dict[str, Any], names: list[str]) -> str:
    heads = ["set", "pairs", "input", *(f"gain, {name}" for name in names)]
    heads += [f"{name} over {names[0]}" for name in names[1:]]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for label, facts in figures.items():
        cells = [label, str(facts["pairs"]), f"{facts['psnr']['input']:.2f}"]
        cells += [said(facts["psnr gain"][name]) for name in names]
        cells += [said(facts[f"psnr over {names[0]}"][name]) for name in names[1:]]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def said(found: list[float | None]) -> str:
    mean, low, high = found
    return f"{mean:+.2f}" + ("" if low is None else f" [{low:+.2f}, {high:+.2f}]")


if __name__ == "__main__":
    main()
