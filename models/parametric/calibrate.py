"""Measures the ten levels of operations on photographs.

    python -m gends.models.parametric.calibrate PHOTOS... [--operations haze,rain] [--all]

PHOTOS are pictures or folders of them. Only what changed since it was measured is measured again:
operations of another version, other usual strengths, or new ones.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from gends.models.degrader import Image
from gends.models.parametric import levels as stored
from gends.models.parametric.catalog import OPERATIONS, operation_named
from gends.models.parametric.levels import LEVELS, Levels, staleness
from gends.models.parametric.operation import Operation
from gends.models.parametric.photographs import find_photographs, load_square
from gends.models.parametric.solver import rendered
from gends.models.pixels import to_float
from gends.pictures.formats import SUFFIXES

SIDE = 256
"""Pictures are measured at the size at which published severities are."""
PHOTOGRAPHS = 12
SEEDS = 5
GRID = 17
"""Strengths at which the curve is measured before levels are laid on it."""
DIGITS = 4
KEY = 0x6C6576656C73
"""Keeps these random numbers apart from those of pairs."""

Severities = npt.NDArray[np.float64]
"""Mean mu and mean sigma per strength, (2, strengths)."""


def calibrate(operation: Operation, photographs: Sequence[Image], seeds: int = SEEDS) -> Levels:
    """Lay ten levels on the usual strengths of an operation, evenly spaced in mean mu."""
    settings = _settings(operation)
    curve = severities(operation, photographs, seeds, settings)[0]
    chosen = _chosen(settings, curve, is_stepped=_is_stepped(operation))
    mu, sigma = severities(operation, photographs, seeds, chosen)
    return Levels(
        version=operation.version,
        usual=operation.usual,
        photographs=len(photographs),
        seeds=seeds,
        strengths=tuple(chosen),
        mu=tuple(mu.round(5).tolist()),
        sigma=tuple(sigma.round(5).tolist()),
        reach=round(reach(operation, photographs, seeds), 5),
    )


def reach(operation: Operation, photographs: Sequence[Image], seeds: int) -> float:
    """Largest mu at strength 1, over photographs and draws."""
    return max(float(mu.max()) for mu, _ in _each(operation, photographs, seeds, [1.0]))


def severities(
    operation: Operation, photographs: Sequence[Image], seeds: int, strengths: Sequence[float]
) -> Severities:
    """Mean severities over photographs and draws; every strength has the same draws."""
    return np.asarray(np.mean(list(_each(operation, photographs, seeds, strengths)), axis=0))


def _each(
    operation: Operation, photographs: Sequence[Image], seeds: int, strengths: Sequence[float]
) -> Iterator[Severities]:
    for number, photograph in enumerate(photographs):
        photo = to_float(photograph)
        for seed in range(seeds):
            rng = np.random.default_rng((KEY, number, seed))
            parameters = operation.draw(rng)
            render = operation.renderer(photo, parameters, int(rng.integers(2**63)))
            made = [rendered(render, photograph, strength) for strength in strengths]
            yield np.array([[one.mu for one in made], [one.sigma for one in made]])


def _is_stepped(operation: Operation) -> bool:
    return operation.scale is not None and operation.scale.is_whole


def _settings(operation: Operation) -> list[float]:
    """Strengths to choose from: of a stepped scale one for each step, or as many as are needed."""
    mild, severe = operation.usual
    if operation.scale is None or not operation.scale.is_whole:
        return [float(strength) for strength in np.linspace(mild, severe, GRID)]
    first, last = (int(operation.scale.value(s)) for s in (mild, severe))
    count = min(abs(last - first) + 1, 2 * GRID)
    values = np.linspace(first, last, count).round().tolist()
    return [operation.scale.strength(value) for value in values]


def _chosen(settings: list[float], curve: Severities, *, is_stepped: bool) -> list[float]:
    """Strengths whose mu are evenly spaced between the first and the last setting's."""
    rising = np.maximum.accumulate(curve)
    wanted = np.linspace(rising[0], rising[-1], LEVELS)
    if not is_stepped:
        inner = np.interp(wanted, rising, settings).round(DIGITS).tolist()
        return [settings[0], *inner[1:-1], settings[-1]]
    if len(settings) <= LEVELS:
        indices = np.linspace(0, len(settings) - 1, LEVELS).round().astype(int).tolist()
        return [settings[index] for index in indices]
    return [settings[index] for index in _distinct(rising, wanted)]


def _distinct(rising: Severities, wanted: Severities) -> list[int]:
    """Indices of the settings that come nearest to what is wanted, each taken once."""
    indices: list[int] = []
    for level, mu in enumerate(wanted):
        least = indices[-1] + 1 if indices else 0
        most = len(rising) - (LEVELS - level)
        nearest = int(np.abs(rising - mu).argmin())
        indices.append(min(max(nearest, least), most))
    return indices


def _measured(
    names: Sequence[str], photographs: list[Image], seeds: int
) -> Iterator[tuple[str, Levels]]:
    """Levels of each operation, as they get ready."""
    context = get_context("spawn")
    with ProcessPoolExecutor(min(os.cpu_count() or 1, len(names)), mp_context=context) as pool:
        jobs = {pool.submit(_job, name, photographs, seeds): name for name in names}
        for job in as_completed(jobs):
            yield jobs[job], job.result()


def _job(name: str, photographs: list[Image], seeds: int) -> Levels:
    cv2.setNumThreads(1)
    return calibrate(operation_named(name), photographs, seeds)


def _flat(levels: Levels) -> list[str]:
    """Neighbouring levels between which mu does not rise though the strength does."""
    pairs = zip(range(1, LEVELS), np.diff(levels.strengths), np.diff(levels.mu), strict=True)
    return [f"{n} to {n + 1}" for n, step, rise in pairs if step > 0 and rise <= 0]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m gends.models.parametric.calibrate",
        description="Measure the ten levels of operations whose formula changed.",
    )
    parser.add_argument("photos", nargs="+", type=Path, help="pictures, or folders of them")
    parser.add_argument("--operations", metavar="A,B", help="measure these, changed or not")
    parser.add_argument("--all", action="store_true", help="measure all, changed or not")
    parser.add_argument("--photographs", metavar="N", type=int, default=PHOTOGRAPHS)
    parser.add_argument("--seeds", metavar="N", type=int, default=SEEDS, help="draws on each")
    parser.add_argument("--out", type=Path, default=stored.FILE, help="default: gends' own file")
    options = parser.parse_args(arguments)
    options.operations = options.operations.split(",") if options.operations else []
    if unknown := sorted(set(options.operations) - set(OPERATIONS)):
        parser.error(f"no operation {', '.join(unknown)}; there are {', '.join(OPERATIONS)}")
    options.found = find_photographs(options.photos, options.photographs)
    if not options.found:
        parser.error(f"no pictures ({', '.join(sorted(SUFFIXES))}) in what is named")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, store after each operation, and say what did not rise; the exit code."""
    options = _options(arguments)
    known = stored.read(options.out)
    names = options.operations or [
        o.name for o in OPERATIONS.values() if options.all or staleness(o, known.get(o.name))
    ]
    kept = {name: known[name] for name in OPERATIONS if name in known}
    if not names:
        stored.write(kept, options.out)
        print(f"all {len(kept)} operations are as they were measured", file=sys.stderr)
        return 0
    print(f"{len(names)} operations on {len(options.found)} photographs", file=sys.stderr)
    photographs = [load_square(path, SIDE) for path in options.found]
    begun, flat = time.monotonic(), 0
    for count, (name, levels) in enumerate(_measured(names, photographs, options.seeds), 1):
        kept[name] = levels
        stored.write({n: kept[n] for n in OPERATIONS if n in kept}, options.out)
        seconds = time.monotonic() - begun
        span = f"mu {levels.mu[0]:.4f} to {levels.mu[-1]:.4f}"
        print(f"{count}/{len(names)} {name}: {span} ({seconds:.0f} s)", file=sys.stderr)
        for where in _flat(levels):
            flat += 1
            print(f"  {name}: mu does not rise from level {where}", file=sys.stderr)
    return 1 if flat else 0


if __name__ == "__main__":
    sys.exit(main())
