"""Pairs/s of every operation, beside other libraries' counterparts, in one run on one core.

    pip install --no-deps -r benchmarks/parametric-requirements.txt
    python benchmarks/parametric.py [--only jpeg --only noise] [--rounds 7]

Every call takes a picture of 8 bits and gives one back; gends draws and prepares anew for each.
Rounds alternate between gends and its rivals, so that a drifting machine hurts all alike; a ratio
is the median over the rounds. "Alone" leaves out turning 8 bits to float and back, which a recipe
does once. The table goes to the screen, all figures to a file.
"""

from __future__ import annotations

import itertools
import json
import platform
import statistics
import time
import warnings
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import torch
from parametric_rivals import COMPARISONS, Comparison, Run
from parametric_table import markdown

from gends.models.bundled_photos import PHOTOS as BUNDLED
from gends.models.parametric.catalog import OPERATIONS
from gends.models.parametric.operation import Operation
from gends.models.pixels import Photo, to_float, to_uint8

PHOTOS = Path(str(BUNDLED))
SIZES = 512, 256
LIBRARIES = "gends", "albumentations", "imagecorruptions", "kornia", "numpy", "torch"
DRAWS = 12
"""Parameters and photographs that a round goes through."""


@click.command()
@click.option("--clean", type=click.Path(exists=True, path_type=Path), default=PHOTOS)
@click.option("--only", multiple=True, help="Operations; all of the catalog by default.")
@click.option("--rounds", default=7)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("docs/parametric-figures.json")
)
def main(clean: Path, only: tuple[str, ...], rounds: int, out: Path) -> None:
    warnings.simplefilter("ignore")
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    rows = []
    for name in only or OPERATIONS:
        for size in SIZES:
            rows.append(_row(OPERATIONS[name], size, _pictures(clean, size), rounds))
            print(json.dumps(rows[-1]), flush=True)
    figures = {"machine": _machine(), "rounds": rounds, "rows": rows}
    out.write_text(json.dumps(figures, indent=1) + "\n")
    print(markdown(figures))


def _pictures(folder: Path, size: int) -> list[np.ndarray]:
    """Squares from the middle of up to `DRAWS` photographs."""
    pictures = []
    for path in sorted(folder.rglob("*"))[: 4 * DRAWS]:
        image = cv2.imread(str(path))
        if image is None:
            continue
        side = min(image.shape[:2])
        top, left = ((n - side) // 2 for n in image.shape[:2])
        square = cv2.cvtColor(image[top : top + side, left : left + side], cv2.COLOR_BGR2RGB)
        pictures.append(cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA))
    return pictures[:DRAWS]


def _row(
    operation: Operation, size: int, pictures: Sequence[np.ndarray], rounds: int
) -> dict[str, Any]:
    comparison = COMPARISONS.get(operation.name, Comparison())
    rivals, runs = _runs(comparison, pictures[0])
    apply = _ours(operation, comparison)
    photos = [to_float(picture) for picture in pictures]
    runs = [lambda picture: to_uint8(apply(to_float(picture))), *runs]
    alone = statistics.median(_seconds(apply, photos) for _ in range(rounds))
    seconds = [[_seconds(run, pictures) for run in runs] for _ in range(rounds)]
    measured = [r for r in rivals if "reason" not in r]
    for number, rival in enumerate(measured, 1):
        rival["pairs_per_second"] = round(1 / statistics.median(s[number] for s in seconds), 2)
        rival["ratio"] = round(statistics.median(s[number] / s[0] for s in seconds), 3)
    pace = round(1 / statistics.median(s[0] for s in seconds), 2)
    return {
        "operation": operation.name,
        "size": size,
        "pairs_per_second": pace,
        "alone_per_second": round(1 / alone, 2),
        "rivals": rivals,
    }


def _runs(comparison: Comparison, picture: np.ndarray) -> tuple[list[dict[str, Any]], list[Run]]:
    """Rivals by name, with the reason why one cannot be measured; and those that can."""
    rivals: list[dict[str, Any]] = []
    runs = []
    for rival in comparison.rivals:
        row = {"library": rival.library, "function": rival.function, "same": rival.same}
        rivals.append(row)
        try:
            run = rival.make()
            run(picture)
        # Whatever goes wrong in a rival is said in the table, not ours to sort.
        except Exception as error:
            row["reason"] = f"{type(error).__name__}: {error}".splitlines()[0]
        else:
            runs.append(run)
    return rivals, runs


def _ours(operation: Operation, comparison: Comparison) -> Run:
    strength = sum(operation.usual) / 2
    if operation.scale and comparison.value is not None:
        strength = operation.scale.strength(comparison.value)
    given = {k: v for k, v in comparison.parameters.items() if _takes(operation, k, v)}
    drawn = ({**operation.draw(np.random.default_rng(n)), **given} for n in itertools.count())

    def run(picture: Photo) -> Photo:
        return operation.apply(picture, next(drawn), strength, 1)

    return run


def _takes(operation: Operation, name: str, value: Any) -> bool:
    try:
        operation.parameters[name].check(name, value)
    except (KeyError, ValueError):
        return False
    return True


def _seconds(run: Run, pictures: Sequence[np.ndarray]) -> float:
    """Of one call, over all pictures."""
    start = time.perf_counter()
    for picture in pictures:
        run(picture)
    return (time.perf_counter() - start) / len(pictures)


def _machine() -> dict[str, str]:
    libraries = {"opencv": cv2.__version__}
    for name in LIBRARIES:
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:
            libraries[name] = "not installed"
    return {"processor": _processor(), "python": platform.python_version(), **libraries}


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
