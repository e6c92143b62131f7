"""`gends-build train calibration`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch

from gends.histograms.profile import Profile, load_profile
from gends.histograms.severity import measure
from gends.jobs.console.alive import alive
from gends.jobs.training.gendeg_training import NAMES
from gends.jobs.training.inputs import device_of
from gends.models.degradations import Structure
from gends.models.degrader import Instruction
from gends.models.gendeg.calibration import Calibration, Curve, fit_curve
from gends.models.gendeg.engine import GenDegDegrader
from gends.models.gendeg.model import GenDeg
from gends.models.gendeg.storage import check_place
from gends.models.training.randomness import step_seed
from gends.reading.dataset import PairDataset


def train_calibration(
    data: Path,
    *,
    model: Path,
    out: Path,
    half: bool,
    device: str | None,
    profile: str,
    **draws: int,
) -> None:
    """Measure the calibration curves and store the model with them; `draws` as for `calibrate`."""
    check_place(out)
    # In float32 everywhere: these weights are stored again.
    trained = GenDeg.from_pretrained(model, device=device_of(device), dtype=torch.float32)
    curves: dict[str, Curve] = {}
    severities = load_profile(profile)
    with alive(lambda: f"measuring: {len(curves)} of {len(NAMES)} degradations are done"):
        for name, curve in calibrate(trained, PairDataset(data), severities, **draws):
            curves[name] = curve
            knots = (f"{a:.3f} → {p:.3f}" for a, p in zip(curve.asked, curve.produced, strict=True))
            click.echo(f"{name}: mu asked → produced: {', '.join(knots)}", err=True)
    trained.calibration = Calibration(curves)
    trained.save_pretrained(out, dtype=torch.float16 if half else None)


def calibrate(
    model: GenDeg, dataset: PairDataset, profile: Profile, *, samples: int, seed: int
) -> Iterator[tuple[str, Curve]]:
    """Measure, on photographs of training pairs, the mu that each requested mu produces.

    `samples` pairs per degradation, with severities from `profile`, as a build draws them: pairs of
    formulas do not reach every sigma that real data have, and a model asked for more paints more.
    """
    # A curve is of what the model paints, whatever is then laid over the photograph.
    painted: dict[str, Structure] = dict.fromkeys(NAMES, "model")
    degrader = GenDegDegrader(replace(model, calibration=Calibration()), structure=painted)
    names = np.array(dataset.rows["degradation"].to_pylist())
    for index, name in enumerate(NAMES):
        rng = np.random.default_rng(step_seed(seed, index, "calibration"))
        rows = np.flatnonzero(names == name)
        chosen = rng.choice(rows, size=min(samples, len(rows)), replace=False)
        cleans = [dataset[row]["gt"] for row in chosen.tolist()]
        draws = [profile.draw(name, rng, uniform_share=0.0) for _ in cleans]
        instructions = [
            Instruction(degradation=name, mu=d.mu, sigma=d.sigma, seed=int(rng.integers(2**63)))
            for d in draws
        ]
        made = degrader.degrade(cleans, [[instruction] for instruction in instructions])
        produced = [max(measure(pair.lq, pair.gt).mu, 1e-4) for (pair,) in made]
        yield name, fit_curve([d.mu for d in draws], produced)
