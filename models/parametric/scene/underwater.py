"""Underwater: water that swallows red first, lights up with distance, and blurs.

I_c = D_c·exp(−c_c·z) + B_c·(1 − exp(−c_c·z)) in linear light: the simplified model of Jaffe (IEEE
J. Oceanic Eng. 1990) with one coefficient for the signal and the backscatter. D is the scene, of
which a part that grows with the distance is scattered forward into a halo. Coefficients are those
of Jerlov's water types ("Marine Optics", 1976). The strength is the distance in metres.
"""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.depth.distance import DISTANCE, distance, draw_distance
from gends.models.parametric.draw import chance, uniform
from gends.models.parametric.fields.plasma import plasma
from gends.models.parametric.fields.specks import disc, scatter
from gends.models.parametric.filters.tone import decode, encode
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter, Scale
from gends.models.pixels import Field, Photo, Plane

VERSION = 1

FARTHEST = 12.0
"""Metres to the farthest point at strength 1."""

RESIDUAL = {
    "I": (0.805, 0.961, 0.982),
    "IA": (0.804, 0.955, 0.975),
    "II": (0.800, 0.925, 0.940),
    "III": (0.750, 0.885, 0.890),
    "1C": (0.750, 0.885, 0.875),
    "3C": (0.710, 0.820, 0.800),
    "5C": (0.670, 0.730, 0.670),
    "7C": (0.620, 0.610, 0.500),
    "9C": (0.550, 0.460, 0.290),
}
"""Share of red, green and blue light that is left after a metre, by Jerlov's type of water: I to
III are oceanic, the others coastal (as in Li, Anwar and Porikli, Pattern Recognition 2020)."""

DRAWN = ("I", "IA", "II", "III", "1C", "3C", "5C")
"""In the others little is seen beyond two metres."""

BLUE, GREEN = (0.12, 0.42, 0.68), (0.26, 0.55, 0.42)
"""Veiling light, display values, of clear ocean and of coastal water."""


def draw(rng: np.random.Generator) -> Parameters:
    """Draw the water, its light, geometry, forward scatter, marine snow and caustics."""
    water = str(rng.choice(DRAWN))
    green = uniform(rng, 0.5, 1.0) if water.endswith("C") else uniform(rng, 0.0, 0.6)
    light = (np.array(BLUE) * (1 - green) + np.array(GREEN) * green) * uniform(rng, 0.6, 1.2)
    return {
        "water": water,
        "veiling_light": [round(float(c), 4) for c in light],
        **draw_distance(rng, (0.1, 0.5)),
        "forward_scatter": uniform(rng, 0.2, 0.9),
        "scatter_radius": uniform(rng, 0.003, 0.012),
        "marine_snow": uniform(rng, 0.1, 1.0) if chance(rng, 0.35) else 0.0,
        "caustics": uniform(rng, 0.1, 0.5) if chance(rng, 0.25) else 0.0,
    }


def prepare(
    image: Photo, parameters: Parameters, seed: int, depth: Plane | None = None
) -> Renderer:
    """Lay the distance, the halo, the particles; the renderer puts water in between."""
    rng = np.random.default_rng(seed)
    far = distance(image, parameters, rng, depth)[..., np.newaxis]
    scene = decode(image)
    sigma = max(parameters["scatter_radius"] * min(far.shape[:2]), 0.3)
    halo = _blurred(scene, sigma) - scene
    halo *= np.float32(parameters["forward_scatter"]) * far
    ripples = _caustics(far.shape[:2], rng)[..., np.newaxis] * (1 - far)
    ripples = np.float32(parameters["caustics"]) * ripples
    light = decode(np.array([[parameters["veiling_light"]]], np.float32))
    flakes = _marine_snow(image, parameters["marine_snow"], rng)
    exponent = np.log(np.array(RESIDUAL[parameters["water"]], np.float32)) * far

    def render(strength: float) -> Photo:
        share = np.float32(strength)
        direct = (scene + share * halo) * (1 + share * ripples)
        kept = np.exp(np.float32(FARTHEST * strength) * exponent)
        seen = light + (direct - light) * kept
        if flakes is not None:
            seen += share * flakes * (np.float32(1.5) * light + np.float32(0.15) - seen)
        return encode(np.clip(seen, 0, 1))

    return render


def _blurred(scene: Photo, sigma: float) -> Photo:
    """A Gaussian; a wide one on a smaller copy, where it costs less and looks the same."""
    scale = min(1.0, 2.5 / sigma)
    size = (scene.shape[1], scene.shape[0])
    small = (max(1, round(scale * size[0])), max(1, round(scale * size[1])))
    if small == size:
        return np.asarray(cv2.GaussianBlur(scene, (0, 0), sigma), np.float32)
    coarse = cv2.resize(scene, small, interpolation=cv2.INTER_AREA)
    coarse = cv2.GaussianBlur(coarse, (0, 0), sigma * small[0] / size[0])
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _caustics(size: tuple[int, int], rng: np.random.Generator) -> Plane:
    """Bright ridges of light through waves, mean 0, about −0.5 to 2."""
    ridges = [1 - np.abs(2 * plasma(size, rng, cells=7, octaves=2) - 1) for _ in range(2)]
    net = np.maximum(ridges[0], ridges[1]) ** 8
    return np.asarray(2 * (net - net.mean()), np.float32)


def _marine_snow(image: Photo, amount: float, rng: np.random.Generator) -> Field | None:
    if not amount:
        return None
    size, side = image.shape[:2], min(image.shape[:2])
    longer = amount * max(size) / side
    field = np.zeros(size, np.float32)
    for radius, softness, count in ((0.002, 0.002, 500), (0.004, 0.006, 120), (0.01, 0.02, 12)):
        kernel = disc(max(radius * side, 0.6), max(softness * side, 1.0))
        np.maximum(field, scatter(size, kernel, count * longer, rng, faintest=0.1), out=field)
    return np.asarray(np.float32(0.7) * field)[..., np.newaxis]


UNDERWATER = Operation(
    name="underwater",
    label=12,
    version=VERSION,
    stage="scene",
    summary="water that swallows red first, lights up with distance, and blurs",
    source="Jaffe's model simplified, Jerlov's water types (Pattern Recognition 98, 2020)",
    parameters={
        "water": Parameter(meaning="Jerlov's type of water", choices=tuple(RESIDUAL)),
        "veiling_light": Parameter(meaning="colour of water of endless depth", size=3),
        **DISTANCE,
        "forward_scatter": Parameter(meaning="share of the farthest light scattered into a halo"),
        "scatter_radius": Parameter(meaning="width of that halo", high=0.1, unit="of side"),
        "marine_snow": Parameter(meaning="amount of particles before the lens"),
        "caustics": Parameter(meaning="contrast of the light that waves focus"),
    },
    draw=draw,
    prepare=prepare,
    scale=Scale(name="distance", meaning="to the farthest point", zero=0, full=FARTHEST, unit="m"),
    usual=(0.05, 0.6),
    needs_depth=True,
)
