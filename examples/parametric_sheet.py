"""A contact sheet of the six physical degradations on your own photographs.

    python examples/parametric_sheet.py PHOTOS OUT.png [--size 256] [--photos 4] [--seed 0]

PHOTOS is a folder of images. For every degradation and photo there is a row: the clean photo, then
low, medium and high severity, as the public datasets of that degradation have them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from gends.histograms.severity import measure
from gends.models.degrader import Instruction
from gends.models.parametric import OPERATIONS, ParametricDegrader
from gends.pictures.formats import open_image

# (mu, sigma): low, medium and high among the datasets whose histograms GenDeg published.
SEVERITIES = {
    "haze": ((0.05, 0.03), (0.13, 0.08), (0.24, 0.15)),
    "rain": ((0.014, 0.025), (0.07, 0.06), (0.18, 0.12)),
    "snow": ((0.02, 0.05), (0.07, 0.08), (0.18, 0.12)),
    "motion_blur": ((0.012, 0.02), (0.03, 0.046), (0.055, 0.075)),
    "low_light": ((0.08, 0.07), (0.18, 0.14), (0.26, 0.17)),
    "raindrop": ((0.02, 0.075), (0.05, 0.08), (0.11, 0.115)),
}
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
CAPTION = 18


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=256, help="side of the square crops in pixels")
    parser.add_argument("--photos", type=int, default=4, help="photographs to show")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--degradations", nargs="+", choices=OPERATIONS, default=list(OPERATIONS))
    options = parser.parse_args()
    paths = sorted(p for p in options.folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not paths:
        parser.error(f"no image ({', '.join(sorted(SUFFIXES))}) in {options.folder}")
    chosen = paths[:: max(1, len(paths) // options.photos)][: options.photos]
    photos = [load(path, options.size) for path in chosen]
    rows = [
        row(photo, name, options.seed + number)
        for name in options.degradations
        for number, photo in enumerate(photos)
    ]
    Image.fromarray(np.concatenate(rows)).save(options.out)
    print(f"{len(rows)} rows of {', '.join(options.degradations)}: {options.out}")


def load(path: Path, size: int) -> np.ndarray:
    with open_image(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    return np.asarray(ImageOps.fit(upright, (size, size), Image.Resampling.LANCZOS))


def row(photo: np.ndarray, name: str, seed: int) -> np.ndarray:
    instructions = [
        Instruction(degradation=name, mu=mu, sigma=sigma, seed=1000 * seed + step)
        for step, (mu, sigma) in enumerate(SEVERITIES[name])
    ]
    cells = [captioned(photo, "clean")]
    for wanted, pair in zip(
        instructions, ParametricDegrader().degrade([photo], [instructions])[0], strict=True
    ):
        made = measure(pair.lq, pair.gt)
        text = f"{name} {wanted.mu:.3f}/{wanted.sigma:.3f} -> {made.mu:.3f}/{made.sigma:.3f}"
        cells.append(captioned(pair.lq, text))
    return np.concatenate(cells, axis=1)


def captioned(image: np.ndarray, text: str) -> np.ndarray:
    strip = Image.new("RGB", (image.shape[1], CAPTION), "black")
    ImageDraw.Draw(strip).text((4, 3), text, fill="white")
    return np.concatenate([np.asarray(strip), image])


if __name__ == "__main__":
    main()
