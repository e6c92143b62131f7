"""What the quality filter accepts and rejects: good pairs, real failures, made-up failures.

    python benchmarks/quality_filter.py --photos HELDOUT --limit 10

Pairs come from the parametric engine and from --model ('' leaves it out); failures from that model
with faults put in, from --failing, a model that was stopped too early, and from simple damage:
another photograph, a blank, blown-out contrast, a shift. Prints a JSON line per engine or faulty
model and degradation, and one per kind of damage.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import torch
from PIL import Image as Pillow

from gends.histograms.profile import load_profile
from gends.models.degradations import DEGRADATIONS
from gends.models.degrader import Degraded, Degrader, Image, Instruction
from gends.models.gendeg.engine import GenDegDegrader
from gends.models.gendeg.model import GenDeg
from gends.models.parametric.engine import ParametricDegrader
from gends.pictures.formats import open_image
from gends.pipeline.making.carry_out import Pair, Task, carry_out
from gends.pipeline.making.judge import Judge, Verdict
from gends.pipeline.making.load import cut
from gends.pipeline.planning.config import BuildConfig, FilterConfig
from gends.pipeline.types import Crop, Request, Step

BOUNDS = FilterConfig()
Made = Iterator[tuple[Request, Pair]]
Judged = list[tuple[Request, Pair, Verdict]]


@click.command()
@click.option("--photos", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--model", default="gendeg-mini", help="Makes pairs too; '' for none.")
@click.option("--failing", type=click.Path(exists=True, path_type=Path))
@click.option("--limit", default=50, help="Photographs; each gives a random crop.")
@click.option("--sheet", type=click.Path(path_type=Path), help="Picture of what was rejected.")
def main(photos: Path, model: str, failing: Path | None, limit: int, sheet: Path | None) -> None:
    cleans = _crops(photos, limit)
    engines: dict[str, Made] = {"parametric": _engine(ParametricDegrader(), cleans)}
    if model:
        good = GenDeg.from_pretrained(model)
        engines["model"] = _engine(_painting(good), cleans)
        for name, fault in FAULTS.items():
            engines[f"model, {name}"] = _engine(_painting(fault(deepcopy(good))), cleans)
    if failing is not None:
        early = _painting(GenDeg.from_pretrained(failing))
        engines["model, stopped early"] = _engine(early, cleans)
    judge, shown = Judge(BOUNDS), list[Image]()
    for source, made in engines.items():
        judged = _judged(judge, made, shown)
        for name in DEGRADATIONS:
            mine = [entry for entry in judged if entry[0].degradation == name]
            _print(mine, pairs=source, degradation=name)
        _print(judged, pairs=source, degradation="all")
    for name in DAMAGES:
        _print(_judged(judge, _damaged(name, cleans), shown), failure=name)
    if sheet is not None and shown:
        _save_sheet(shown, sheet)


def _painting(model: GenDeg) -> GenDegDegrader:
    """Without the photograph's structure, which hides part of what the filter is to find."""
    return GenDegDegrader(model, structure=dict.fromkeys(DEGRADATIONS, "model"))


def _crops(photos: Path, limit: int) -> list[Image]:
    config = BuildConfig(fit="random")
    files = sorted(p for p in photos.iterdir() if p.suffix in (".png", ".jpg"))[:limit]
    rng = np.random.default_rng(0)
    crops = [Crop(**dict(zip(("zoom", "x", "y"), rng.random(3), strict=True))) for _ in files]
    return [
        cut(open_image(path).convert("RGB"), crop, config)
        for path, crop in zip(files, crops, strict=True)
    ]


def _judged(judge: Judge, made: Made, shown: list[Image]) -> Judged:
    """Judge pairs; the first dozen that are rejected are added to `shown`."""
    judged = [(request, pair, judge(request, pair)) for request, pair in made]
    rejected = (pair for _, pair, verdict in judged if verdict.reason)
    shown += [np.concatenate([pair.gt, pair.lq], axis=1) for pair in rejected][:12]
    return judged


def _print(judged: Judged, **what: str) -> None:
    structure, stray = (
        np.array([verdict.metrics[name] for _, _, verdict in judged])
        for name in ("structure", "stray_colour")
    )
    facts: dict[str, Any] = {
        "count": len(judged),
        "structure": _percentiles(structure),
        "structure_too_low": round(float(np.mean(structure < BOUNDS.structure_min)), 3),
        "stray_colour": _percentiles(stray),
        "stray_colour_too_high": round(float(np.mean(stray > BOUNDS.stray_colour_max)), 3),
        "outcomes": Counter(verdict.reason or "accepted" for _, _, verdict in judged),
    }
    print(json.dumps(what | facts), flush=True)


def _percentiles(scores: np.ndarray[Any, Any]) -> dict[str, float]:
    return {f"p{p}": round(float(np.percentile(scores, p)), 3) for p in (2, 10, 50, 90, 98)}


def _unlearnt(model: GenDeg) -> GenDeg:
    """Every matrix of the network is replaced by noise of its spread."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.unet.parameters():
            if weight.ndim > 1:
                noise = torch.randn(weight.shape, generator=generator)
                weight.copy_(noise * weight.std())
    return model


def _misread(model: GenDeg) -> GenDeg:
    """What the network says is taken for noise, not for velocity."""
    schedule = model.schedule
    model.schedule = replace(schedule, prediction_type="epsilon", rescale_betas_zero_snr=False)
    return model


def _hurried(model: GenDeg) -> GenDeg:
    """One step of denoising."""
    model.sampling = replace(model.sampling, steps=1)
    return model


FAULTS: dict[str, Callable[[GenDeg], GenDeg]] = {
    "network of noise": _unlearnt,
    "prediction misread": _misread,
    "one step": _hurried,
}


def _engine(degrader: Degrader, cleans: list[Image]) -> Made:
    profile = load_profile("reference")
    for index, clean in enumerate(cleans):
        rng = np.random.default_rng(index)
        requests = [_request(name, *_draw(profile, name, rng)) for name in DEGRADATIONS]
        yield from zip(requests, _made(degrader, clean, requests), strict=True)


def _made(degrader: Degrader, clean: Image, requests: list[Request]) -> list[Pair]:
    tasks = [Task(request=r, attempt=0, clean=clean, caption=None) for r in requests]
    return carry_out({"gendeg": degrader}, tasks, BuildConfig())


def _draw(profile: object, name: str, rng: np.random.Generator) -> tuple[float, float, int]:
    drawn = profile.draw(name, rng)  # type: ignore[attr-defined]
    return drawn.mu, drawn.sigma, int(rng.integers(2**63))


def _request(name: str, mu: float, sigma: float, seed: int) -> Request:
    return Request(
        key=name,
        degradation=name,
        recipes=((Step(op=name, engine="gendeg", mu=mu, sigma=sigma),),),
        seeds=(seed,),
    )


def _other(image: Image, cleans: list[Image], rng: np.random.Generator) -> Image:
    others = [clean for clean in cleans if clean is not image]
    return others[int(rng.integers(len(others)))]


def _blank(image: Image, cleans: list[Image], rng: np.random.Generator) -> Image:
    return np.full_like(image, int(rng.integers(180, 256)))


def _veil(image: Image, cleans: list[Image], rng: np.random.Generator) -> Image:
    """Coloured clouds that leave a hint of the photograph."""
    clouds = cv2.resize(
        rng.normal(150, 50, (8, 8, 3)), image.shape[:2], interpolation=cv2.INTER_CUBIC
    )
    return np.clip(0.1 * image + 0.9 * clouds, 0, 255).astype(np.uint8)


def _blown(image: Image, cleans: list[Image], rng: np.random.Generator) -> Image:
    return np.clip((image.astype(float) - 90) * 6 + 128, 0, 255).astype(np.uint8)


def _shifted(image: Image, cleans: list[Image], rng: np.random.Generator) -> Image:
    return np.roll(image, 12, axis=1)


DAMAGES = {
    "another photograph": _other,
    "blank, a grey of 180 to 255": _blank,
    "coloured clouds over a hint of the photograph": _veil,
    "shifted by 12 pixels": _shifted,
    "contrast blown out six-fold": _blown,
}


class _Damaging:
    """An engine that makes one kind of damage of everything."""

    engine = "damage"

    def __init__(self, name: str, cleans: list[Image]) -> None:
        self.damage, self.cleans = DAMAGES[name], cleans
        self.rng = np.random.default_rng(0)

    def fingerprint(self) -> dict[str, str]:
        return {"engine": self.engine}

    def degrade(
        self, cleans: Sequence[Image], instructions: Sequence[Sequence[Instruction]]
    ) -> list[list[Degraded]]:
        return [
            [self._degrade(clean) for _ in g] for clean, g in zip(cleans, instructions, strict=True)
        ]

    def _degrade(self, clean: Image) -> Degraded:
        lq = self.damage(clean, self.cleans, self.rng)
        return Degraded(lq=lq, gt=clean, target_kind="clean", scm_applied=False)


def _damaged(name: str, cleans: list[Image]) -> Made:
    damaging = _Damaging(name, cleans)
    for clean in cleans:
        request = _request("haze", 0.15, 0.1, 0)
        yield request, _made(damaging, clean, [request])[0]


def _save_sheet(shown: list[Image], path: Path) -> None:
    columns = 6
    shown = shown[: len(shown) // columns * columns]
    rows = [np.concatenate(shown[i : i + columns], axis=1) for i in range(0, len(shown), columns)]
    Pillow.fromarray(np.concatenate(rows)).resize((1536, 128 * len(rows))).save(path)


if __name__ == "__main__":
    main()
