"""Pictures and a table of all operations.

    python examples/operation_gallery.py [--photo PHOTO] [--docs docs] [--stages lens,sensor]

For each stage a sheet DOCS/images/operations/STAGE.jpg (more where a stage has many operations):
every operation on one photograph at levels 2, 4, 6, 8 and 10, with the parameters of one draw and
the strength of each level. And DOCS/operations.md: what each operation is, its parameters, levels
and source. The photograph is one of those that ship with gends (CC0).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from gends.jobs.options.described import describe, numbers, range_text
from gends.models.bundled_photos import PHOTOS
from gends.models.degrader import Image
from gends.models.parametric.catalog import OPERATIONS
from gends.models.parametric.levels import levels_of
from gends.models.parametric.operation import STAGES, Operation
from gends.models.parametric.photographs import load_square
from gends.models.parametric.solver import rendered
from gends.models.pixels import to_float

PHOTO = "lake-sherburne.jpg"
SHOWN = (2, 4, 6, 8, 10)
SIDE, GAP, CAPTION = 256, 6, 18
ROWS = 3
"""Operations on one sheet: so many stay below the size of files that a repository likes."""
LARGEST = 400_000
"""Bytes of a sheet; its quality is lowered until it fits."""
TRIES = 9
"""Draws among which one is shown: the one whose severities are the median."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photo", type=Path, help=f"default: {PHOTO}, which ships with gends")
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    parser.add_argument("--stages", default=",".join(STAGES))
    options = parser.parse_args()
    bundled = PHOTOS.joinpath(PHOTO)
    with resources.as_file(bundled) as path:
        photograph = load_square(options.photo or path, SIDE)
    pictures = options.docs / "images" / "operations"
    pictures.mkdir(parents=True, exist_ok=True)
    sheets = {}
    for stage in STAGES:
        operations = [o for o in OPERATIONS.values() if o.stage == stage]
        names = sheet_names(stage, len(operations))
        for number, name in enumerate(names):
            part = operations[number * ROWS : (number + 1) * ROWS]
            sheets[name] = part
            if stage in options.stages.split(","):
                size = save(sheet(photograph, part), pictures / name)
                print(f"{pictures / name}: {size // 1000} kB")
    text = "".join(document(sheets))
    (options.docs / "operations.md").write_text(text, encoding="utf-8")
    print(options.docs / "operations.md")


def sheet_names(stage: str, operations: int) -> list[str]:
    count = -(-operations // ROWS)
    return [f"{stage}.jpg"] if count == 1 else [f"{stage}-{n + 1}.jpg" for n in range(count)]


def sheet(photograph: Image, operations: list[Operation]) -> Pillow.Image:
    width = GAP + (len(SHOWN) + 1) * (SIDE + GAP)
    made = Pillow.new("RGB", (width, GAP + len(operations) * (CAPTION + SIDE + GAP)), "white")
    for row, operation in enumerate(operations):
        top = GAP + row * (CAPTION + SIDE + GAP)
        for column, (picture, text) in enumerate(row_of(photograph, operation)):
            left = GAP + column * (SIDE + GAP)
            write(made, (left, top), text)
            made.paste(Pillow.fromarray(picture), (left, top + CAPTION))
    return made


def row_of(photograph: Image, operation: Operation) -> Iterator[tuple[Image, str]]:
    """The photograph, then its levels, each with its caption."""
    yield photograph, operation.name
    strengths = levels_of(operation).strengths
    parameters, seed = typical(photograph, operation, strengths[6])
    render = operation.renderer(to_float(photograph), parameters, seed)
    for level in SHOWN:
        strength = strengths[level - 1]
        one = rendered(render, photograph, strength)
        scale = operation.scale
        value = f"{scale.name} {numbers(scale.value(strength))}, " if scale else ""
        yield one.lq, f"level {level}: {value}mu {one.mu:.3f}"


def typical(photograph: Image, operation: Operation, strength: float) -> tuple[dict, int]:
    """The draw whose severity at `strength` is the median of several."""
    draws = [(operation.draw(np.random.default_rng(n)), n) for n in range(TRIES)]
    photo = to_float(photograph)
    mu = [rendered(operation.renderer(photo, *draw), photograph, strength).mu for draw in draws]
    return draws[int(np.argsort(mu)[TRIES // 2])]


def write(sheet: Pillow.Image, place: tuple[int, int], text: str) -> None:
    font = ImageFont.load_default(size=13)
    ImageDraw.Draw(sheet).text(place, text, fill=(30, 30, 30), font=font)


def save(sheet: Pillow.Image, path: Path) -> int:
    """Write a sheet as good as its size allows; how many bytes it has."""
    for quality in range(92, 40, -4):
        sheet.save(path, quality=quality, subsampling=0, optimize=True)
        if path.stat().st_size < LARGEST:
            break
    return path.stat().st_size


def document(sheets: dict[str, list[Operation]]) -> Iterator[str]:
    yield (
        "# Operations\n\n"
        "<!-- Made by examples/operation_gallery.py; change that instead. -->\n\n"
        "Every degradation by formula, in the order in which light meets them. `gends-build "
        "operations NAME` says the same in a terminal, with a step to copy. Levels go from 1 to "
        "10; the mean severity (μ, the mean of |degraded − clean|) rises in even steps from level "
        "to level. The figures are means over photographs and draws at 256 × 256; in the pictures "
        "stand those of the one photograph shown.\n\n"
    )
    yield from summary(list(OPERATIONS.values()))
    for name, operations in sheets.items():
        shown = ", ".join(operation.name for operation in operations)
        yield f"\n![{shown}: levels {', '.join(map(str, SHOWN))}](images/operations/{name})\n"
        for operation in operations:
            yield from section(operation)


def summary(operations: list[Operation]) -> Iterator[str]:
    yield "| operation | stage | what it does | scale | μ, levels 1 to 10 | depth | mask |\n"
    yield "|---|---|---|---|---|---|---|\n"
    for operation in operations:
        mu = levels_of(operation).mu
        cells = [
            f"[{operation.name}](#{operation.name})",
            operation.stage,
            operation.summary,
            operation.scale.name if operation.scale else "",
            f"{mu[0]:.3f} to {mu[-1]:.3f}",
            "uses" if operation.needs_depth else "",
            "gives" if operation.is_local else "",
        ]
        yield line(cells)


def section(operation: Operation) -> Iterator[str]:
    one = describe(operation)
    yield f"\n## {operation.name}\n\n{operation.summary[:1].upper()}{operation.summary[1:]}. "
    yield f"Source: {operation.source}. Version {operation.version}, number {operation.label} "
    yield f"in masks.\n\n```yaml\n{one['example']}\n```\n\n"
    settable = dict(one["parameters"])
    if one["scale"]:
        settable = {one["scale"]["name"]: one["scale"], **settable}
    if settable:
        yield "| may be set | range | meaning |\n|---|---|---|\n"
        for name, parameter in settable.items():
            yield line([f"`{name}`", range_text(parameter), parameter["meaning"]])
        yield "\n"
    levels = one["levels"]
    yield line(["level", *(str(level["level"]) for level in levels)])
    yield "|---" * (len(levels) + 1) + "|\n"
    yield line(["strength", *(numbers(level["strength"]) for level in levels)])
    if one["scale"]:
        yield line([one["scale"]["name"], *(numbers(level["value"]) for level in levels)])
    for key, word in (("mu", "μ"), ("sigma", "σ")):
        yield line([word, *(f"{level[key]:.3f}" for level in levels)])


def line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    main()
