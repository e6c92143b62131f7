"""Shapes of the dirt on a glass: opacities in [0, 1], (H, W), sharp as on the glass itself."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from gends.models.parametric.fields.plasma import plasma
from gends.models.parametric.operation import Parameters, Size
from gends.models.pixels import Plane

FINE = 4
"""Bits of the fractions of a pixel in which OpenCV draws."""

Points = npt.NDArray[np.float64]


def dust(size: Size, parameters: Parameters, rng: np.random.Generator) -> Plane:
    """Specks of many sizes, the small ones many, each of a density of its own."""
    side, number = min(size), int(parameters["dust"])
    field = np.zeros(size, np.float32)
    centres = rng.uniform((0, 0), (size[1], size[0]), (number, 2))
    radii = parameters["dust_size"] * side * np.exp(rng.normal(-0.6, 0.6, number))
    density = 1 - 0.85 * np.sqrt(rng.random(number))
    # The largest speck is as dense as asked, so that the parameter has a meaning.
    if number:
        density[radii.argmax()] = 1
    for (x, y), radius, dense in zip(centres, radii, density, strict=True):
        outline = _outline(x, y, max(radius, 0.6), 0.25, rng)
        box = _box(outline, size)
        speck = np.zeros_like(field[box])
        cv2.fillPoly(speck, [_fixed(outline, box)], float(dense), cv2.LINE_8, FINE)
        np.maximum(field[box], speck, out=field[box])
    return field


def spatter(size: Size, number: int, rng: np.random.Generator) -> Plane:
    """Splashes of mud: a few impacts, each with droplets drawn out away from it."""
    field, side = np.zeros(size, np.float32), min(size)
    impacts = rng.uniform((0, 0), (size[1], size[0]), (1 + number // 12, 2))
    for _ in range(number):
        x, y = impacts[rng.integers(len(impacts))]
        angle, away = rng.uniform(0, 2 * np.pi), side * 0.12 * rng.gamma(1.5)
        radius = side * 0.05 * rng.beta(1.2, 4) + 0.8
        outline = _outline(0, 0, radius, 0.35, rng)
        outline[:, 0] *= 1 + away / side * rng.uniform(0, 6)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        outline = (outline + np.array([away, 0.0])) @ turn + np.array([x, y])
        box = _box(outline, size)
        cv2.fillPoly(field[box], [_fixed(outline, box)], 1.0, cv2.LINE_8, FINE)
    # Mud dries in lumps.
    lumps = plasma(size, rng, cells=40, octaves=3)
    return np.asarray(field * (1 - np.float32(0.4) * lumps))


def fibres(size: Size, number: int, rng: np.random.Generator) -> Plane:
    """Hairs and lint that curl."""
    field, side = np.zeros(size, np.float32), min(size)
    for _ in range(number):
        step = side * rng.uniform(0.04, 0.3) / 60
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(np.cumsum(rng.normal(0, 0.006, 60)))
        heading += np.linspace(0, rng.normal(0, 2), 60)
        path = np.cumsum(step * np.column_stack([np.cos(heading), np.sin(heading)]), axis=0)
        _line(field, path + rng.uniform((0, 0), (size[1], size[0])), 0.0035 * side)
    return field


def scratches(size: Size, number: int, rng: np.random.Generator) -> Plane:
    """Fine scratches, nearly straight, most of them in one direction: the way one wipes."""
    field, side, wiped = np.zeros(size, np.float32), min(size), rng.uniform(0, np.pi)
    for _ in range(number):
        heading = wiped + rng.normal(0, 0.3) + np.linspace(0, rng.normal(0, 0.3), 30)
        step = side * rng.uniform(0.05, 0.5) / 30
        path = np.cumsum(step * np.column_stack([np.cos(heading), np.sin(heading)]), axis=0)
        _line(field, path + rng.uniform((0, 0), (size[1], size[0])), 0.002 * side)
    return field


def smudge(size: Size, rng: np.random.Generator) -> Plane:
    """Grease where fingers touched the glass: patches with soft ends and wiped texture."""
    patch = np.clip(3 * plasma(size, rng, cells=3.0, octaves=3) - np.float32(1.3), 0, 1)
    wiped = plasma(size, rng, cells=24.0, octaves=3)
    return np.asarray(patch * (np.float32(0.6) + np.float32(0.4) * wiped))


def _outline(x: float, y: float, radius: float, rough: float, rng: np.random.Generator) -> Points:
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    waves = rng.normal(0, rough / np.sqrt(2), (4, 2)) / np.arange(1, 5)[:, np.newaxis]
    around = np.outer(np.arange(2, 6), angle)
    edge = np.clip(1 + waves[:, 0] @ np.cos(around) + waves[:, 1] @ np.sin(around), 0.4, 1.8)
    return np.column_stack([x + radius * edge * np.cos(angle), y + radius * edge * np.sin(angle)])


def _box(points: Points, size: Size) -> tuple[slice, slice]:
    first = np.clip(points.min(axis=0).astype(int) - 2, 0, (size[1], size[0]))
    last = np.clip(points.max(axis=0).astype(int) + 3, 0, (size[1], size[0]))
    return np.s_[first[1] : last[1]], np.s_[first[0] : last[0]]


def _fixed(points: Points, box: tuple[slice, slice]) -> npt.NDArray[np.int32]:
    inside = points - np.array([box[1].start, box[0].start])
    return np.asarray(np.rint(inside * 2**FINE), np.int32)


def _line(field: Plane, path: Points, width: float) -> None:
    """Draw a path of `width` pixels; one thinner than a pixel is as much fainter."""
    thick = max(1, round(width))
    box = np.s_[0 : field.shape[0], 0 : field.shape[1]]
    points = [_fixed(path, box)]
    value = min(1.0, 0.4 + 0.6 * width)
    cv2.polylines(field, points, False, value, thick, cv2.LINE_8, FINE)
