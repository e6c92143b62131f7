"""Known colours: patches of a chart or a grid of hues and lightnesses, and a ramp of greys."""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.degrader import Image
from gends.models.parametric.operation import Size
from gends.models.pixels import Photo, to_uint8

COLOUR_CHECKER = (
    *((115, 82, 68), (194, 150, 130), (98, 122, 157), (87, 108, 67), (133, 128, 177)),
    *((103, 189, 170), (214, 126, 44), (80, 91, 166), (193, 90, 99), (94, 60, 108)),
    *((157, 188, 64), (224, 163, 46), (56, 61, 150), (70, 148, 73), (175, 54, 60)),
    *((231, 199, 31), (187, 86, 149), (8, 133, 161), (243, 243, 242), (200, 200, 200)),
    *((160, 160, 160), (122, 122, 121), (85, 85, 85), (52, 52, 52)),
)
"""Levels of sRGB that are published for the 24 patches of the ColorChecker Classic."""

_NEAREST = cv2.INTER_NEAREST

STEPS = 8
"""Hues, and lightnesses, of the grid."""

RAMPS = (16, 21, 256)
"""Steps of a ramp of greys; the last is as smooth as 8 bits are."""

RAMP_SHARE = 0.2
"""Width of the ramp, of the part's extent across it."""


def draw_colours(size: Size, rng: np.random.Generator) -> Image:
    """One of `ELEMENTS`, with a ramp of greys from black to white along one of its sides."""
    turns, falls = int(rng.integers(4)), rng.random() < 0.5
    height, width = size if turns % 2 == 0 else size[::-1]
    strip = round(RAMP_SHARE * height)
    steps = min(int(rng.choice(RAMPS)), width)
    greys = np.rint(np.linspace(0, 255, steps)).astype(np.uint8)
    ramp = cv2.resize(greys[None, :: -1 if falls else 1], (width, strip), interpolation=_NEAREST)
    table = ELEMENTS[rng.integers(len(ELEMENTS))](rng)
    patches = cv2.resize(table, (width, height - strip), interpolation=_NEAREST)
    whole = np.concatenate([patches, np.repeat(ramp[..., None], 3, axis=2)])
    return np.ascontiguousarray(np.rot90(whole, turns))


def colour_checker(rng: np.random.Generator) -> Image:
    """The 24 patches in any order, 4 or 6 to a column."""
    rows = int(rng.choice([4, 6]))
    shuffled = rng.permutation(np.array(COLOUR_CHECKER, np.uint8))
    return np.asarray(shuffled.reshape(rows, 24 // rows, 3))


def lab_grid(rng: np.random.Generator) -> Image:
    """Eight hues by eight lightnesses of CIELAB, as colourful as sRGB allows or less, (8, 8, 3)."""
    lightness = np.repeat((np.arange(STEPS) + 0.5) * 100 / STEPS, STEPS)
    hue = np.tile((np.arange(STEPS) + 0.5 + rng.uniform(-0.2, 0.2)) * 2 * np.pi / STEPS, STEPS)
    chroma = np.arange(2, 130, 2)[:, None]
    planes = np.broadcast_arrays(lightness, chroma * np.cos(hue), chroma * np.sin(hue))
    lab = np.stack(planes, axis=-1).astype(np.float32)
    rgb = cv2.cvtColor(lab, cv2.COLOR_Lab2RGB)
    # What sRGB cannot show was clipped, and does not come back.
    is_shown = np.abs(cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab) - lab).max(axis=-1) < 1
    share = rng.uniform(0.6, 1)
    picked = np.maximum((is_shown.sum(axis=0) * share).astype(int), 1) - 1
    table: Photo = rgb[picked, np.arange(STEPS**2)]
    turned = to_uint8(table).reshape(STEPS, STEPS, 3)
    return np.ascontiguousarray(np.rot90(turned, int(rng.integers(4))))


ELEMENTS = (colour_checker, lab_grid)
"""rng to a table of colours, one pixel for each patch."""
