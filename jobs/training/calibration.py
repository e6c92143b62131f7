"""`gends-build train calibration`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch

from gends.dataset import PairDataset
from gends.histograms.severity import measure
from gends.jobs.training.run import NAMES
from gends.models.degrader import Instruction
from gends.models.gendeg.calibration import Calibration, Curve, fit_curve
from gends.models.gendeg.engine import GenDegDegrader
from gends.models.gendeg.model import GenDeg
from gends.models.training.randomness import step_seed


def train_calibration(
    data: Path, *, model: Path, out: Path, samples: int, seed: int, half: bool
) -> None:
    """Measure the calibration curves and store the model with them."""
    trained = GenDeg.from_pretrained(model)
    curves = {}
    for name, curve in calibrate(trained, PairDataset(data), samples=samples, seed=seed):
        curves[name] = curve
        knots = (f"{a:.3f} → {p:.3f}" for a, p in zip(curve.asked, curve.produced, strict=True))
        click.echo(f"{name}: mu asked → produced: {', '.join(knots)}", err=True)
    trained.calibration = Calibration(curves)
    trained.save_pretrained(out, dtype=torch.float16 if half else None)


def calibrate(
    model: GenDeg, dataset: PairDataset, *, samples: int, seed: int
) -> Iterator[tuple[str, Curve]]:
    """Measure, on photographs of training pairs, the mu that each requested mu produces.

    `samples` pairs per degradation, with the severities that these pairs have.
    """
    degrader = GenDegDegrader(replace(model, calibration=Calibration()))
    names = np.array(dataset.rows["degradation"].to_pylist())
    for index, name in enumerate(NAMES):
        rng = np.random.default_rng(step_seed(seed, index, "calibration"))
        rows = np.flatnonzero(names == name)
        chosen = rng.choice(rows, size=min(samples, len(rows)), replace=False)
        items = [dataset[row] for row in chosen.tolist()]
        instructions = [
            Instruction(
                degradation=name, mu=item["mu"], sigma=item["sigma"], seed=int(rng.integers(2**63))
            )
            for item in items
        ]
        made = degrader.degrade([item["gt"] for item in items], [[i] for i in instructions])
        produced = [max(measure(pair.lq, pair.gt).mu, 1e-4) for (pair,) in made]
        yield name, fit_curve([i.mu for i in instructions], produced)
