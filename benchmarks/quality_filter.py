"""What the quality filter accepts and rejects: good pairs, real failures, made-up failures.

    python benchmarks/quality_filter.py --photos HELDOUT --failing runs/generator/early/result

Pairs come from the parametric engine and from --model; failures from --failing, a model that was
stopped too early, and from simple damage: another photograph, a blank, blown-out contrast, a shift.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import cv2
import numpy as np
from PIL import Image as Pillow

from gends.histograms.profile import load_profile
from gends.models.degradations import DEGRADATIONS
from gends.models.degrader import Degraded, Degrader, Image
from gends.models.gendeg.engine import GenDegDegrader
from gends.models.gendeg.model import GenDeg
from gends.models.parametric.engine import ParametricDegrader
from gends.pipeline.config import BuildConfig, FilterConfig
from gends.pipeline.judge import Judge
from gends.pipeline.load import cut
from gends.pipeline.types import Request

Made = Iterator[tuple[Request, Degraded]]


@click.command()
@click.option("--photos", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--model", default="gendeg-mini")
@click.option("--failing", type=click.Path(exists=True, path_type=Path))
@click.option("--limit", default=24)
@click.option("--sheet", type=click.Path(path_type=Path), help="Picture of what was rejected.")
def main(photos: Path, model: str, failing: Path | None, limit: int, sheet: Path | None) -> None:
    config = BuildConfig()
    files = sorted(p for p in photos.iterdir() if p.suffix in (".png", ".jpg"))[:limit]
    cleans = [cut(Pillow.open(path).convert("RGB"), None, config) for path in files]
    sources: dict[str, Made] = {
        "parametric": _engine(ParametricDegrader(), cleans),
        "model": _engine(GenDegDegrader(GenDeg.from_pretrained(model)), cleans),
    }
    if failing is not None:
        sources["stopped early"] = _engine(GenDegDegrader(GenDeg.from_pretrained(failing)), cleans)
    sources |= {name: _damaged(name, cleans) for name in DAMAGES}
    judge, shown = Judge(FilterConfig()), []
    for source, made in sources.items():
        reasons: dict[str, int] = {}
        scores = []
        for request, pair in made:
            verdict = judge(request, pair)
            reasons[verdict.reason or "accepted"] = reasons.get(verdict.reason or "accepted", 0) + 1
            scores.append(verdict.metrics["structure"])
            if verdict.reason and len(shown) < 48:
                shown.append(np.concatenate([pair.gt, pair.lq], axis=1))
        quantiles = np.percentile(scores, [1, 5, 50, 95, 99]).round(3).tolist()
        print(json.dumps({"source": source, **reasons, "structure_p1_5_50_95_99": quantiles}))
    if sheet is not None and shown:
        _save_sheet(shown, sheet)


def _engine(degrader: Degrader, cleans: list[Image]) -> Made:
    profile = load_profile("reference")
    for index, clean in enumerate(cleans):
        rng = np.random.default_rng(index)
        requests = [_request(name, *_draw(profile, name, rng)) for name in DEGRADATIONS]
        instructions = [request.instruction(0, None) for request in requests]
        (pairs,) = degrader.degrade([clean], [instructions])
        yield from zip(requests, pairs, strict=True)


def _draw(profile: object, name: str, rng: np.random.Generator) -> tuple[float, float, int]:
    drawn = profile.draw(name, rng)  # type: ignore[attr-defined]
    return drawn.mu, drawn.sigma, int(rng.integers(2**63))


def _request(name: str, mu: float, sigma: float, seed: int) -> Request:
    return Request(
        key=name,
        degradation=name,
        mu=mu,
        sigma=sigma,
        severity_dataset="",
        random_sampled=False,
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
    "blank": _blank,
    "coloured clouds": _veil,
    "blown-out contrast": _blown,
    "shifted by 12 pixels": _shifted,
}


def _damaged(name: str, cleans: list[Image]) -> Made:
    rng = np.random.default_rng(0)
    for clean in cleans:
        pair = Degraded(
            lq=DAMAGES[name](clean, cleans, rng), gt=clean, target_kind="clean", scm_applied=False
        )
        yield _request("haze", 0.15, 0.1, 0), pair


def _save_sheet(shown: list[Image], path: Path) -> None:
    columns = 6
    shown = shown[: len(shown) // columns * columns]
    rows = [np.concatenate(shown[i : i + columns], axis=1) for i in range(0, len(shown), columns)]
    Pillow.fromarray(np.concatenate(rows)).resize((1536, 128 * len(rows))).save(path)


if __name__ == "__main__":
    main()
