r"""The figures of gendeg-mini's model card, on photographs that it was not trained on.

    gends-build run --engine parametric --fit random --replicas 6 --clean PHOTOS --out PAIRS
    python benchmarks/bundled_model.py --structure model --photos HELDOUT --pairs PAIRS \
        --out figures.json

Per degradation: how well the measured mu follows the requested one, over severities drawn from the
reference profile; how much the structure correction gains; whether a classifier trained on
parametric PAIRS recognises what was painted. On two CPU cores it takes about ten minutes.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from gends import PairDataset
from gends.histograms.profile import load_profile
from gends.histograms.severity import measure
from gends.models.degradations import DEGRADATIONS
from gends.models.degrader import Instruction
from gends.models.gendeg.engine import GenDegDegrader
from gends.models.gendeg.model import GenDeg
from gends.models.metrics.psnr import decibels
from gends.models.pixels import to_tensor
from gends.pictures.formats import open_image
from gends.pipeline.making.load import cut
from gends.pipeline.making.structure import structure_score
from gends.pipeline.planning.config import BuildConfig

NAMES = tuple(DEGRADATIONS)
UNTOUCHED = 0.03
"""Pixels count as left alone where generated and reconstructed differ by less, RGB in [0, 1]."""


@click.command()
@click.option("--photos", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--pairs", type=click.Path(exists=True, path_type=Path), help="For the classifier.")
@click.option("--model", default="gendeg-mini")
@click.option("--structure", type=click.Choice(["model", "photograph"]), help="Of all.")
@click.option("--severities", default=8, help="Per photograph and degradation.")
@click.option("--resolution", default=256)
@click.option("--classifier-steps", default=600)
@click.option("--out", type=click.Path(path_type=Path))
def main(**options: Any) -> None:
    model = GenDeg.from_pretrained(options["model"])
    cleans = _photographs(options["photos"], options["resolution"])
    figures: dict[str, Any] = {
        "model": options["model"],
        "structure": options["structure"] or "as the model's folder says",
        "photographs": len(cleans),
        "resolution": options["resolution"],
        "autoencoder_psnr": _autoencoder_psnr(model, cleans),
    }
    start = time.perf_counter()
    chosen = {} if options["structure"] is None else dict.fromkeys(NAMES, options["structure"])
    degrader = GenDegDegrader(model, structure=chosen)
    made = {name: _generate(degrader, cleans, name, options["severities"]) for name in NAMES}
    pairs = sum(len(records) for records in made.values())
    figures["seconds_per_pair"] = (time.perf_counter() - start) / pairs
    figures["degradations"] = {name: _control(records) for name, records in made.items()}
    figures["correction"] = _correction_gain(model, cleans)
    if options["pairs"]:
        figures["classifier"] = _classify(options["pairs"], made, options["classifier_steps"])
    text = json.dumps(figures, indent=1)
    print(text)
    if options["out"]:
        options["out"].write_text(text + "\n")


def _photographs(folder: Path, side: int) -> list[np.ndarray]:
    config = BuildConfig(resolution=side)
    files = sorted(p for p in folder.iterdir() if p.suffix in (".png", ".jpg"))
    return [cut(open_image(path).convert("RGB"), None, config) for path in files]


def _psnr(difference: torch.Tensor) -> float:
    """Of differences of images in [-1, 1]."""
    return float(decibels(difference.square().mean() / 4))


def _autoencoder_psnr(model: GenDeg, cleans: list[np.ndarray]) -> float:
    images = [to_tensor([clean]) for clean in cleans]
    return float(np.mean([_psnr(model.reconstruct(model.condition(x)) - x) for x in images]))


def _generate(
    degrader: GenDegDegrader, cleans: list[np.ndarray], name: str, severities: int
) -> list[dict[str, Any]]:
    profile, rng = load_profile("reference"), np.random.default_rng(NAMES.index(name))
    records = []
    for clean in cleans:
        draws = [profile.draw(name, rng, uniform_share=0.0) for _ in range(severities)]
        instructions = [
            Instruction(degradation=name, mu=d.mu, sigma=d.sigma, seed=int(rng.integers(2**63)))
            for d in draws
        ]
        (made,) = degrader.degrade([clean], [instructions])
        for draw, pair in zip(draws, made, strict=True):
            severity = measure(pair.lq, pair.gt)
            records.append(
                {
                    "asked": draw,
                    "measured": severity,
                    "structure": structure_score(pair.lq, pair.gt),
                    "lq": pair.lq,
                    "gt": pair.gt,
                }
            )
    return records


def _control(records: list[dict[str, Any]]) -> dict[str, float]:
    asked = np.array([r["asked"].mu for r in records])
    measured = np.array([r["measured"].mu for r in records])
    sigma = np.array([r["asked"].sigma for r in records])
    measured_sigma = np.array([r["measured"].sigma for r in records])
    return {
        "pairs": len(records),
        "spearman_mu": _spearman(asked, measured),
        "median_relative_error_mu": float(np.median(np.abs(measured - asked) / asked)),
        "bias_mu": float(np.median(measured / asked)),
        "spearman_sigma": _spearman(sigma, measured_sigma),
        "median_relative_error_sigma": float(np.median(np.abs(measured_sigma - sigma) / sigma)),
        "structure_p5": float(np.percentile([r["structure"] for r in records], 5)),
    }


def _spearman(x: np.ndarray, y: np.ndarray) -> float:
    ranks = [values.argsort().argsort() for values in (x, y)]
    return float(np.corrcoef(*ranks)[0, 1])


def _correction_gain(model: GenDeg, cleans: list[np.ndarray]) -> dict[str, dict[str, float]]:
    """PSNR to the clean photograph, before and after correction, where nothing was painted."""
    profile, gains = load_profile("reference"), {}
    for name in (n for n, d in DEGRADATIONS.items() if d.corrected):
        rng, before, after = np.random.default_rng(7), [], []
        for clean in cleans:
            draw, image = profile.draw(name, rng, uniform_share=0.0), to_tensor([clean])
            condition = model.condition(image)
            seed = int(rng.integers(2**63))
            instruction = Instruction(degradation=name, mu=draw.mu, sigma=draw.sigma, seed=seed)
            latents = model.generate(condition, [instruction])
            generated, reconstructed = model.decode(latents), model.reconstruct(condition)
            untouched = (generated - reconstructed).abs().amax(1, keepdim=True) < 2 * UNTOUCHED
            if untouched.float().mean() < 0.02:
                continue
            mask = untouched.expand_as(image)
            before.append(_psnr((generated - image)[mask]))
            after.append(_psnr((model.correct(image, generated) - image)[mask]))
        gains[name] = {
            "photographs": len(before),
            "psnr_before": float(np.mean(before)),
            "psnr_after": float(np.mean(after)),
            "gain": float(np.mean(after) - np.mean(before)),
        }
    return gains


class Classifier(nn.Module):
    """Names the degradation of a pair from the degraded image and its difference to the target."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inside, outside in ((6, 24), (24, 48), (48, 64), (64, 96)):
            layers += [nn.Conv2d(inside, outside, 3, 2, 1), nn.GroupNorm(8, outside), nn.SiLU()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(96, len(NAMES))

    def forward(self, lq: torch.Tensor, gt: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(torch.cat([lq, lq - gt], 1)).mean((2, 3)))


def _classify(root: Path, made: dict[str, list[dict[str, Any]]], steps: int) -> dict[str, Any]:
    dataset = PairDataset(root)
    labels = np.array([NAMES.index(name) for name in dataset.rows["degradation"].to_pylist()])
    torch.manual_seed(0)
    network, rng = Classifier(), np.random.default_rng(0)
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
    for _ in range(steps):
        rows = rng.integers(len(dataset), size=24)
        items = [dataset[int(row)] for row in rows]
        top, left = rng.integers(0, items[0]["lq"].shape[0] - 191, size=2)
        window = np.s_[top : top + 192, left : left + 192]
        lq, gt = (to_tensor([item[part][window] for item in items]) for part in ("lq", "gt"))
        loss = F.cross_entropy(network(lq, gt), torch.from_numpy(labels[rows]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    network.eval()
    accuracy, confusion = {}, np.zeros((len(NAMES), len(NAMES)), int)
    with torch.inference_mode():
        for index, name in enumerate(NAMES):
            for record in made[name]:
                scores = network(to_tensor([record["lq"]]), to_tensor([record["gt"]]))
                confusion[index, int(scores.argmax())] += 1
            accuracy[name] = float(confusion[index, index] / confusion[index].sum())
    return {
        "steps": steps,
        "last_training_loss": float(loss),
        "accuracy": float(np.trace(confusion) / confusion.sum()),
        "by_degradation": accuracy,
        "confusion": confusion.tolist(),
    }


if __name__ == "__main__":
    main()
