r"""Both structures of the bundled model's pictures, and the parametric engine, at equal severities.

    python benchmarks/structure.py --photos HELDOUT --out docs/structure-figures.json \
        --picture docs/images/engines.jpg

Per degradation and way: how well the measured mu follows the requested one, what the quality filter
accepts, how far the clean picture of a pair is from the photograph. Each photograph gets the same
requests in all ways, severities drawn from the reference profile. Five minutes on two CPU cores.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from gends.histograms.bins import MU_BINS
from gends.histograms.profile import load_profile
from gends.models.degradations import DEGRADATIONS
from gends.models.degrader import Degrader, Image, Instruction
from gends.models.gendeg.engine import GenDegDegrader
from gends.models.gendeg.model import GenDeg
from gends.models.metrics.psnr import psnr
from gends.models.parametric.engine import ParametricDegrader
from gends.models.pixels import to_unit_tensor
from gends.pipeline.making.carry_out import Pair, Task, carry_out
from gends.pipeline.making.judge import Judge, Verdict
from gends.pipeline.making.load import cut
from gends.pipeline.planning.config import BuildConfig, FilterConfig
from gends.pipeline.types import Request, Step

BIN = MU_BINS.width
SHOWN = (0.4, 0.8)
"""Severities of the picture, as shares of a degradation's requests in rising order."""
GAP, CAPTION = 4, 16


@dataclass(frozen=True)
class Judged:
    photograph: Image
    request: Request
    made: Pair
    verdict: Verdict


@click.command()
@click.option("--photos", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--model", default="gendeg-mini")
@click.option("--severities", default=4, help="Per photograph and degradation.")
@click.option("--resolution", default=256)
@click.option("--out", type=click.Path(path_type=Path))
@click.option("--picture", type=click.Path(path_type=Path), help="Both engines side by side.")
def main(**options: Any) -> None:
    cleans = _photographs(options["photos"], options["resolution"])
    orders = [_requests(seed, options["severities"]) for seed in range(len(cleans))]
    model = GenDeg.from_pretrained(options["model"])
    _remember(model)
    ways: dict[str, Degrader] = {
        "model": GenDegDegrader(model, structure=dict.fromkeys(DEGRADATIONS, "model")),
        "photograph": GenDegDegrader(model, structure=dict.fromkeys(DEGRADATIONS, "photograph")),
        "parametric": ParametricDegrader(),
    }
    pairs = _make(ways, cleans, orders)
    figures = {
        "photographs": len(cleans),
        "resolution": options["resolution"],
        "bin": BIN,
        "degradations": {
            name: {way: _figures(_of(made, name)) for way, made in pairs.items()}
            for name in DEGRADATIONS
        },
    }
    text = json.dumps(figures, indent=1)
    print(text)
    if options["out"]:
        options["out"].write_text(text + "\n")
    if options["picture"]:
        default = {n: pairs[model.structure.get(n, "model")] for n in DEGRADATIONS}
        _draw(default, pairs["parametric"]).save(options["picture"], quality=88)


def _photographs(folder: Path, side: int) -> list[Image]:
    config = BuildConfig(resolution=side)
    files = sorted(p for p in folder.iterdir() if p.suffix in (".png", ".jpg"))
    return [cut(Pillow.open(path).convert("RGB"), None, config) for path in files]


def _requests(seed: int, severities: int) -> list[list[Request]]:
    """Of one photograph: `severities` lists with one request for each degradation."""
    profile, rng = load_profile("reference"), np.random.default_rng(seed)
    lists = []
    for _ in range(severities):
        draws = {name: profile.draw(name, rng, uniform_share=0.0) for name in DEGRADATIONS}
        lists.append(
            [
                Request(
                    key=name,
                    degradation=name,
                    recipes=((Step(op=name, engine="gendeg", mu=draw.mu, sigma=draw.sigma),),),
                    seeds=(int(rng.integers(2**63)),),
                )
                for name, draw in draws.items()
            ]
        )
    return lists


def _remember(model: GenDeg) -> None:
    """Both structures begin with the same painted latents: those of the last call are kept."""
    generate, last = model.generate, {}

    def once(condition: Any, instructions: list[Instruction], sampling: Any = None) -> Any:
        key = repr(instructions)
        if key not in last:
            last.clear()
            last[key] = generate(condition, instructions, sampling)
        return last[key].clone()

    model.generate = once


def _make(
    ways: dict[str, Degrader], cleans: list[Image], orders: list[list[list[Request]]]
) -> dict[str, list[Judged]]:
    judge, pairs = Judge(FilterConfig()), {way: [] for way in ways}
    for clean, lists in zip(cleans, orders, strict=True):
        for requests in lists:
            tasks = [Task(request=r, attempt=0, clean=clean, caption=None) for r in requests]
            for way, degrader in ways.items():
                made = carry_out({"gendeg": degrader}, tasks, BuildConfig())
                for request, pair in zip(requests, made, strict=True):
                    pairs[way].append(Judged(clean, request, pair, judge(request, pair)))
    return pairs


def _of(pairs: list[Judged], name: str) -> list[Judged]:
    return [pair for pair in pairs if pair.request.degradation == name]


def _figures(pairs: list[Judged]) -> dict[str, Any]:
    asked = np.array([pair.request.only_step.mu for pair in pairs])
    measured = np.array([pair.verdict.severity.mu for pair in pairs])
    miss = np.abs(measured - asked)
    reasons = Counter(pair.verdict.reason for pair in pairs)
    accepted = reasons.pop(None, 0)
    found = {
        "pairs": len(pairs),
        "within_a_bin": float(np.mean(miss <= BIN)),
        "spearman_mu": float(np.corrcoef(_ranks(asked), _ranks(measured))[0, 1]),
        "mean_miss_mu": float(miss.mean()),
        "median_ratio_mu": float(np.median(measured / asked)),
        "accepted": accepted / len(pairs),
        "rejected": dict(reasons),
    }
    kinds = {pair.made.target_kind for pair in pairs}
    if "reconstructed" in kinds:
        distances = [
            psnr(to_unit_tensor(pair.made.gt), to_unit_tensor(pair.photograph)) for pair in pairs
        ]
        found["gt_psnr"] = {
            "mean": float(np.mean(distances)),
            "least": min(distances),
            "most": max(distances),
        }
    return found


def _ranks(values: np.ndarray) -> np.ndarray:
    return values.argsort().argsort()


def _draw(default: dict[str, list[Judged]], parametric: list[Judged]) -> Pillow.Image:
    """A row for each degradation: clean, bundled model, parametric; of a milder, a severer pair."""
    side = parametric[0].photograph.shape[0]
    width, height = 6 * side + 7 * GAP, len(DEGRADATIONS) * (side + CAPTION + GAP) + GAP
    sheet = Pillow.new("RGB", (width, height), "white")
    for line, (name, pairs) in enumerate(default.items()):
        both = sorted(
            zip(_of(pairs, name), _of(parametric, name), strict=True),
            key=lambda two: two[0].request.only_step.mu,
        )
        top = GAP + line * (side + CAPTION + GAP)
        for place, share in enumerate(SHOWN):
            learnt, formula = both[int(share * len(both))]
            shown = (
                (f"{name}: clean", learnt.made.gt),
                (f"bundled model, mu {learnt.verdict.severity.mu:.3f}", learnt.made.lq),
                (f"parametric, mu {formula.verdict.severity.mu:.3f}", formula.made.lq),
            )
            for column, (caption, picture) in enumerate(shown, 3 * place):
                left = GAP + column * (side + GAP)
                sheet.paste(Pillow.fromarray(picture), (left, top + CAPTION))
                font = ImageFont.load_default(CAPTION - 3)
                ImageDraw.Draw(sheet).text((left, top - 1), caption, (30, 30, 30), font)
    return sheet


if __name__ == "__main__":
    main()
