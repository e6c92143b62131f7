"""Raindrops on lens or window: each a small wide-angle lens that shows the scene upside down.

I = (1 − α)·J + α·D (Qian et al., CVPR 2018, arXiv 1711.10098), D the refracted scene: flipped about
the drop's centre, minified, out of focus, darker towards the rim where light is bent away from the
eye (as in the ROLE generator, Porav et al., ICRA 2019). On display values. The strength makes drops
appear one after another and lets each grow to its full radius.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from gends.models.parametric.draw import log_uniform, uniform
from gends.models.parametric.operation import Operation, Parameters, Renderer, Size
from gends.models.pixels import Photo, Plane

VERSION = 1

GROWTH = 0.25
"""Part of the strength scale over which one drop grows from nothing to its full radius."""

SHRINK = 4
"""The scene behind a drop is minified many times: it is read from a copy this much smaller."""

MOST = 240
"""Drops tried on one image at most."""

Array = npt.NDArray[np.float64]

FAR = 9.0
"""Squared distance, in radii, where there is no water."""


def draw(rng: np.random.Generator) -> Parameters:
    """Draw sizes, number, optics.

    Radii 1.2 to 13 % of the shorter side (6 to 40 px at 512 px and up), log-uniform between two
    bounds; drops are added until their discs would cover `coverage` of the image.
    """
    smallest = log_uniform(rng, 0.012, 0.03)
    return {
        "smallest": smallest,
        "largest": max(log_uniform(rng, 0.045, 0.13), round(1.5 * smallest, 4)),
        "coverage": uniform(rng, 0.35, 1.0),
        "outline": uniform(rng, 0.05, 0.2),
        "elongation": uniform(rng, 1.0, 1.3),
        "view": uniform(rng, 0.25, 0.6),
        "softness": uniform(rng, 0.15, 0.8),
        "blur": log_uniform(rng, 0.002, 0.012),
        "rim": uniform(rng, 0.1, 0.65),
        "glint": uniform(rng, 0.0, 0.6),
        "gain": uniform(rng, 0.65, 1.4),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Drops:
    """Every drop there may be on an image of (H, W), pixel by pixel."""

    rank: Plane
    """Strength at which the pixel's drop begins to grow."""
    depth: Plane
    """How far inside its drop the pixel lies: 1 at the centre, 0 on the edge of the full-grown
    drop, far below 0 where there is never water."""
    across: Plane
    """Columns from the drop's centre, in pixels; 0 where there is no water."""
    down: Plane
    """Rows from the drop's centre, in pixels; 0 where there is no water."""
    radius: Plane
    """Radius of the full-grown drop in pixels; 1 where there is no water."""


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Lay every drop and refract the scene through it; the renderer lets drops appear and grow."""
    side = min(image.shape[:2])
    drops = lay(image.shape[:2], parameters, np.random.default_rng(seed))
    lit = refract(image, drops, parameters["view"]) * np.float32(parameters["gain"])
    x, y = drops.across / drops.radius, drops.down / drops.radius
    spot = np.square(x + np.float32(0.3)) + np.square(y + np.float32(0.4))
    glint = np.float32(parameters["glint"]) * np.exp(-spot / np.float32(0.02))[..., np.newaxis]
    lit = np.clip(lit + glint * (1 - lit), 0, 1)
    blur = max(parameters["blur"] * side, 0.4)
    softness, rim = np.float32(parameters["softness"]), np.float32(parameters["rim"])

    def render(strength: float) -> Photo:
        grown = np.minimum((np.float32(strength) - drops.rank) / np.float32(GROWTH), 1)
        inside = drops.depth + grown - 1
        cover = np.clip(inside / softness, 0, 1)
        cover = cover * cover * (3 - 2 * cover)
        shade = 1 - rim * np.exp(-np.maximum(inside, 0) / np.float32(0.3))
        # The glass is out of focus: what it adds is blurred together with where it adds it.
        water = cv2.GaussianBlur(lit * (cover * shade)[..., np.newaxis], (0, 0), blur)
        cover = cv2.GaussianBlur(cover, (0, 0), blur)[..., np.newaxis]
        return np.asarray(image * (1 - cover) + water, np.float32)

    return render


def refract(image: Photo, drops: Drops, view: float) -> Photo:
    """Show at every pixel what its drop lets one see there: the scene, flipped about its centre.

    A ray through a point at ρ radii from the centre meets the scene `view`·ρ·(2 + ρ²)/3 shorter
    sides on the other side of it: a fish-eye of minification `view`·side/radius.
    """
    height, width = image.shape[:2]
    rho2 = (np.square(drops.across) + np.square(drops.down)) / np.square(drops.radius)
    reach = np.float32(view * min(height, width)) * (2 + rho2) / (3 * drops.radius)
    column = np.arange(width, dtype=np.float32)[np.newaxis, :] - drops.across * (1 + reach)
    row = np.arange(height, dtype=np.float32)[:, np.newaxis] - drops.down * (1 + reach)
    shape = (max(1, width // SHRINK), max(1, height // SHRINK))
    far = cv2.resize(image, shape, interpolation=cv2.INTER_AREA)
    half = np.float32(0.5)
    column = (column + half) * np.float32(shape[0] / width) - half
    row = (row + half) * np.float32(shape[1] / height) - half
    return np.asarray(
        cv2.remap(far, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    )


def lay(size: Size, parameters: Parameters, rng: np.random.Generator) -> Drops:
    """Lay drops over an image of `size`; those that touch are one body and grow as one."""
    height, width = size
    centres, radii, ranks = _scattered(size, parameters, rng)
    waves = rng.standard_normal((len(radii), 3)) + 1j * rng.standard_normal((len(radii), 3))
    waves = (waves * parameters["outline"] / np.arange(1, 4)).astype(np.complex64)
    column, row = np.arange(width), np.arange(height)[:, np.newaxis]
    distance2 = np.full(size, FAR, np.float32)
    owner = np.full(size, -1, np.intp)
    reaches = np.outer(radii, [1.4, 1.4 * parameters["elongation"]]) + 1
    first = np.maximum(centres - reaches, 0).astype(np.intp)
    last = np.minimum(centres + reaches + 2, (width, height)).astype(np.intp)
    for index, ((x, y), radius) in enumerate(zip(centres, radii, strict=True)):
        across, down = (np.s_[first[index, axis] : last[index, axis]] for axis in (0, 1))
        right, below = (column[across] - x) / radius, (row[down] - y) / radius
        point = (right + 1j / parameters["elongation"] * below).astype(np.complex64)
        mine = _outlined(point, waves[index])
        box = (down, across)
        owner[box][mine < distance2[box]] = index
        distance2[box] = _flow_together(distance2[box], mine)
    return _planes(distance2, owner, centres, radii, ranks)


def _scattered(
    size: Size, parameters: Parameters, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Centres, radii and ranks of drops, added until their discs have the wanted area.

    A drop that touches others takes their rank; one that would join two bodies is left out.
    """
    side = min(size)
    bounds = np.log([parameters["smallest"] * side, parameters["largest"] * side])
    radii = np.exp(rng.uniform(bounds[0], bounds[1], MOST))
    centres = rng.uniform((0, 0), (size[1], size[0]), (MOST, 2))
    ranks = rng.uniform(0.0, 1 - GROWTH, MOST)
    gaps = np.linalg.norm(centres[:, np.newaxis] - centres, axis=2)
    touching = gaps < 1.1 * np.add.outer(radii, radii)
    kept: list[int] = []
    wanted = parameters["coverage"] * size[0] * size[1] / np.pi
    for index in range(MOST):
        bodies = set(ranks[kept][touching[index, kept]])
        if len(bodies) > 1:
            continue
        ranks[index] = bodies.pop() if bodies else ranks[index]
        kept.append(index)
        wanted -= radii[index] ** 2
        if wanted <= 0:
            break
    return centres[kept], radii[kept], ranks[kept]


def _outlined(point: npt.NDArray[np.complex64], waves: npt.NDArray[np.complex64]) -> Plane:
    """Squared distance from the centre, 1 on an outline whose radius varies with three harmonics.

    `point` is x + iy in radii; on the unit circle Re(w·pointᵏ) is the k-th harmonic.
    """
    second, third, fourth = waves
    wave = ((second + point * (third + point * fourth)) * point * point).real
    edge = np.minimum(np.maximum(1 + wave, np.float32(0.6)), np.float32(1.35))
    distance2 = point.real * point.real + point.imag * point.imag
    return np.asarray(distance2 / (edge * edge), np.float32)


def _flow_together(one: Plane, other: Plane) -> Plane:
    """Smooth minimum: bridges of water form where two edges come near each other."""
    width = np.float32(0.3)
    near = np.maximum(width - np.abs(one - other), 0) / width
    return np.asarray(np.minimum(one, other) - near * near * width / 4, np.float32)


def _planes(
    distance2: Plane,
    owner: npt.NDArray[np.intp],
    centres: Array,
    radii: Array,
    ranks: Array,
) -> Drops:
    height, width = distance2.shape
    # The entry behind the last drop is the dry glass, which index -1 finds.
    middle = np.concatenate([centres, [[0.0, 0.0]]]).astype(np.float32)
    wet = (owner >= 0).astype(np.float32)
    return Drops(
        rank=np.append(ranks, 2.0).astype(np.float32)[owner],
        depth=1 - np.maximum(distance2, 0),
        across=(np.arange(width, dtype=np.float32)[np.newaxis, :] - middle[:, 0][owner]) * wet,
        down=(np.arange(height, dtype=np.float32)[:, np.newaxis] - middle[:, 1][owner]) * wet,
        radius=np.append(radii, 1.0).astype(np.float32)[owner],
    )


RAINDROP = Operation(
    name="raindrop",
    label=6,
    version=VERSION,
    stage="lens",
    summary="drops on the glass that refract the scene",
    source="I = (1 − α)·J + α·D (Qian et al., CVPR 2018)",
    parameters={},
    draw=draw,
    prepare=prepare,
    usual=(0.1, 1.0),
    is_local=True,
)
