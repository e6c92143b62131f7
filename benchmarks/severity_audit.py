r"""How near pairs made by formula come to the published severities, and to those of real pairs.

    python benchmarks/severity_audit.py --photos PHOTOS --out audit.json --table audit.md \
        [--pairs PAIRS] [--draws 200]

For each of the 21 data sets of the reference profile, DRAWS severities are drawn as a build draws
them and made on PHOTOS at 256 x 256. The table compares what came out with what is published:
Kolmogorov-Smirnov and Wasserstein-1 distances of the distributions of mu and sigma, and the
correlation of the two. A build draws sigma from all data sets of a degradation together, so what
was asked has a distance to a single data set of its own: it stands beside.

PAIRS is a tree <degradation>/<set>/{gt,lq}. Each of its pairs is measured at 256 x 256, and one is
made on each of several photographs for its mu alone, and one for its mu and sigma.
"""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import numpy.typing as npt
from severity_distance import correlation, distribution, kolmogorov_smirnov, missed, wasserstein
from severity_tables import published_table, real_table

from gends.histograms.bins import MU_BINS, SIGMA_BINS
from gends.histograms.pairs import iterate_pairs
from gends.histograms.profile import Profile, load_profile
from gends.histograms.severity import measure
from gends.models.degrader import Image, Instruction
from gends.models.parametric import OPERATIONS, ParametricDegrader
from gends.models.parametric.photographs import find_photographs, load_square

SIDE = 256
VIEWS = 4
"""Photographs on which the severity of one real pair is made."""
Values = npt.NDArray[np.float64]
Asked = tuple[float, float | None]
"""mu and sigma."""
Task = tuple[str, str, list[Asked]]
"""Degradation, data set, and what is asked for."""


@click.command(help=__doc__)
@click.option("--photos", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--pairs", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--draws", default=200, show_default=True, help="Severities per data set.")
@click.option("--photographs", default=60, show_default=True, help="Taken of PHOTOS at most.")
@click.option("--candidates", default=3, show_default=True, help="As a build's.")
@click.option("--seed", default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="All figures, as JSON.")
@click.option("--table", type=click.Path(path_type=Path), help="The tables, as Markdown.")
def main(**options: Any) -> None:
    profile = load_profile("reference")
    paths = find_photographs([options["photos"]], options["photographs"])
    cleans = [load_square(path, SIDE) for path in paths]
    published = list(_published_tasks(profile, options["draws"], options["seed"]))
    real = _real_rows(options["pairs"]) if options["pairs"] else {}
    tasks = [*published, *_real_tasks(real)]
    made = _make_all(tasks, cleans, options["candidates"])
    figures: dict[str, Any] = {
        "photographs": len(cleans),
        "draws": options["draws"],
        "candidates": options["candidates"],
        "published": [
            _against_published(profile, task, pairs)
            for task, pairs in zip(published, made, strict=False)
        ],
        "real": _against_real(real, made[len(published) :]),
    }
    text = published_table(figures["published"])
    text += "\n" + real_table(figures["real"]) if real else ""
    click.echo(text)
    if options["out"]:
        options["out"].write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if options["table"]:
        options["table"].write_text(text, encoding="utf-8")


def _published_tasks(profile: Profile, draws: int, seed: int) -> Iterator[Task]:
    for number, row in enumerate(profile.summary()):
        alone = profile.only([f"{row.degradation}/{row.dataset}"])
        rng = np.random.default_rng((seed, number))
        asked = [alone.draw(row.degradation, rng, uniform_share=0.0) for _ in range(draws)]
        yield row.degradation, row.dataset, [(one.mu, one.sigma) for one in asked]


def _real_rows(root: Path) -> dict[tuple[str, str], list[tuple[float, float]]]:
    rows: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)

    def skip(error: ValueError) -> None:
        click.echo(f"left out: {error}", err=True)

    for degradation, dataset, mu, sigma in iterate_pairs(root, size=SIDE, skip=skip):
        if degradation in OPERATIONS:
            rows[degradation, dataset].append((mu, sigma))
    return rows


def _real_tasks(real: dict[tuple[str, str], list[tuple[float, float]]]) -> Iterator[Task]:
    """Two for each set: mu alone, then mu and sigma."""
    for (degradation, dataset), pairs in real.items():
        free: list[Asked] = [(mu, None) for mu, _ in pairs for _ in range(VIEWS)]
        both: list[Asked] = [pair for pair in pairs for _ in range(VIEWS)]
        yield degradation, dataset, free
        yield degradation, dataset, both


def _make_all(tasks: Sequence[Task], cleans: list[Image], candidates: int) -> list[Values]:
    context = get_context("spawn")
    workers = len(os.sched_getaffinity(0))
    made = []
    with ProcessPoolExecutor(workers, context, _begin, (cleans, candidates)) as pool:
        for task, pairs in zip(tasks, pool.map(_make, tasks, range(len(tasks))), strict=True):
            click.echo(f"{len(made) + 1}/{len(tasks)} {task[0]}/{task[1]}", err=True)
            made.append(pairs)
    return made


_HELD: dict[str, Any] = {}
"""What a worker has been given once."""


def _begin(cleans: list[Image], candidates: int) -> None:
    cv2.setNumThreads(1)
    _HELD.update(cleans=cleans, engine=ParametricDegrader(candidates=candidates))


def _make(task: Task, number: int) -> Values:
    """mu and sigma that came out, (pairs, 2)."""
    degradation, _, asked = task
    rng = np.random.default_rng(number)
    found = []
    for index, (mu, sigma) in enumerate(asked):
        clean = _HELD["cleans"][index % len(_HELD["cleans"])]
        seed = int(rng.integers(2**63))
        wanted = Instruction(degradation=degradation, mu=mu, sigma=sigma, seed=seed)
        [[pair]] = _HELD["engine"].degrade([clean], [[wanted]])
        severity = measure(pair.lq, pair.gt)
        found.append((severity.mu, severity.sigma))
    return np.array(found)


def _against_published(profile: Profile, task: Task, made: Values) -> dict[str, Any]:
    degradation, dataset, pairs = task
    asked = np.array(pairs, np.float64)
    histogram = profile.degradations[degradation].datasets[dataset]
    told: dict[str, Any] = {"degradation": degradation, "dataset": dataset}
    for column, (name, bins) in enumerate({"mu": MU_BINS, "sigma": SIGMA_BINS}.items()):
        published = distribution(getattr(histogram, name), bins)
        for word, values in (("", made), ("asked_", asked)):
            told[f"{word}{name}_ks"] = kolmogorov_smirnov(values[:, column], published)
            told[f"{word}{name}_w1"] = wasserstein(values[:, column], published)
        told[f"{name}_mean"] = round(float(made[:, column].mean()), 4)
        told[f"{name}_mean_asked"] = round(float(asked[:, column].mean()), 4)
    told["correlation"] = correlation(made)
    told["asked_correlation"] = correlation(asked)
    told["missed"] = missed(made, asked)
    return told


def _against_real(
    real: dict[tuple[str, str], list[tuple[float, float]]], made: Sequence[Values]
) -> list[dict[str, Any]]:
    told = []
    for number, ((degradation, dataset), pairs) in enumerate(real.items()):
        found, free, both = np.array(pairs), made[2 * number], made[2 * number + 1]
        repeated = np.repeat(found, VIEWS, axis=0)
        own = np.quantile(free[:, 1], (0.05, 0.95)).round(4).tolist()
        told.append(
            {
                "degradation": degradation,
                "dataset": dataset,
                "pairs": len(pairs),
                "mu": round(float(found[:, 0].mean()), 4),
                "mu_range": [round(float(end), 4) for end in (found.min(0)[0], found.max(0)[0])],
                "sigma": round(float(found[:, 1].mean()), 4),
                "own_sigma": round(float(free[:, 1].mean()), 4),
                "own_sigma_range": own,
                "sigma_made": round(float(both[:, 1].mean()), 4),
                "sigma_error": round(float(np.abs(both[:, 1] - repeated[:, 1]).mean()), 4),
                "missed": missed(both, repeated),
            }
        )
    return told


if __name__ == "__main__":
    sys.exit(main())
