"""Rain: streaks from far drizzle to near, broad and blurred ones, their splashes and their mist.

A drop at distance d (1: in focus) leaves a streak 1/d as long and wide, blurred by |1/d − 1| (thin
lens) and as much fainter. Drops are wide-angle lenses: a streak shows the light around, mixed with
the background by the share of the exposure that it covered it (alpha; Garg and Nayar, IJCV 2007);
or it adds light (add, screen), as generators for training do. The mist of the far drops is haze
(Li et al., "Heavy Rain Image Restoration", CVPR 2019). On display values, as Rain13K's sources. The
strength lets more streaks appear, the brightest first, and thickens the mist.
"""

from __future__ import annotations

import numpy as np

from gends.models.parametric.depth.procedural import veil_thickness
from gends.models.parametric.draw import chance, log_uniform, uniform
from gends.models.parametric.fields.ambient import lit
from gends.models.parametric.fields.particles import Bodies, clear_share, distances, optical_depth
from gends.models.parametric.fields.plasma import plasma
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter
from gends.models.parametric.scene.splash import splashes
from gends.models.pixels import Photo, Plane

VERSION = 2

KINDS = {
    "drizzle": (1.0, 2.5, 1.5),
    "streaks": (0.6, 1.8, 1.0),
    "layered": (0.3, 3.0, 1.2),
    "heavy": (0.4, 2.0, 0.6),
}
"""Nearest and farthest drop, and the power with which drops grow more with distance."""

PARAMETERS = {
    "kind": Parameter(meaning="how deep the streaks lie", choices=tuple(KINDS)),
    "angle": Parameter(
        meaning="wind: streaks' angle from the vertical", low=-60, high=60, unit="degrees"
    ),
    "turbulence": Parameter(meaning="spread of the angles", high=20, unit="degrees"),
    "length": Parameter(
        meaning="length of a streak in focus", low=0.005, high=0.5, unit="of the shorter side"
    ),
    "width": Parameter(
        meaning="width of a streak in focus", low=0.0005, high=0.03, unit="of the shorter side"
    ),
    "density": Parameter(meaning="area of all streaks at full strength, of the picture's", high=4),
    "blur": Parameter(meaning="radius of the blur at infinity, of a streak's width", high=4),
    "composite": Parameter(
        meaning="whether streaks add light or show the light around",
        choices=("add", "screen", "alpha"),
    ),
    "opacity": Parameter(meaning="opacity of a sharp streak"),
    "light": Parameter(meaning="brightness of the streaks in full light"),
    "ambient": Parameter(meaning="how much the streaks' brightness follows the scene's light"),
    "gusts": Parameter(meaning="how unevenly the rain falls"),
    "splashes": Parameter(meaning="number of splashes on the ground, of the most there may be"),
    "veil": Parameter(meaning="density of the mist of the far drops"),
    "veil_light": Parameter(meaning="brightness of the mist"),
}


def draw(rng: np.random.Generator) -> Parameters:
    """Draw the kind, the wind, the streaks, their light, splashes and mist.

    Half of all rain within ±10° of the vertical, the rest up to ±45° (light and medium rain of
    published generators); lengths and widths about theirs (25 to 55 px by 1 to 9 px).
    """
    return {
        "kind": str(rng.choice(list(KINDS), p=(0.2, 0.3, 0.3, 0.2))),
        "angle": uniform(rng, -10, 10) if chance(rng, 0.5) else uniform(rng, -45, 45),
        "turbulence": uniform(rng, 0.5, 4),
        "length": log_uniform(rng, 0.04, 0.16),
        "width": log_uniform(rng, 0.002, 0.008),
        "density": log_uniform(rng, 0.15, 2.0),
        "blur": uniform(rng, 0.2, 1.5),
        "composite": str(rng.choice(["add", "screen", "alpha"], p=(0.3, 0.4, 0.3))),
        "opacity": uniform(rng, 0.35, 1.0),
        "light": uniform(rng, 0.75, 1.0),
        "ambient": uniform(rng, 0.1, 0.7),
        "gusts": uniform(rng, 0.0, 0.5),
        "splashes": uniform(rng, 0.1, 1.0) if chance(rng, 0.25) else 0.0,
        "veil": uniform(rng, 0.15, 0.8) if chance(rng, 0.4) else 0.0,
        "veil_light": uniform(rng, 0.6, 0.9),
    }


def prepare(
    image: Photo, parameters: Parameters, seed: int, depth: Plane | None = None
) -> Renderer:
    """Place every streak there may be; the renderer decides how many of them are seen."""
    rng = np.random.default_rng(seed)
    bodies = streaks(image, parameters, rng) + splashes(image, parameters["splashes"], rng)
    depths = optical_depth(image.shape[:2], bodies)
    gusts = plasma(image.shape[:2], rng, cells=2.0, octaves=2)
    depths *= 1 - np.float32(parameters["gusts"]) * gusts
    veil = veil_thickness(image, rng, depth) if parameters["veil"] else None
    veil_light = np.float32(parameters["veil_light"])
    light = lit(image, parameters["light"], parameters["ambient"])

    def render(strength: float) -> Photo:
        seen = image
        if veil is not None:
            kept = np.exp(np.float32(-3 * parameters["veil"] * strength**3) * veil)
            seen = veil_light + (image - veil_light) * kept[..., np.newaxis]
        covered = 1 - clear_share(depths, strength)[..., np.newaxis]
        return _composite(parameters["composite"], seen, light, covered)

    return render


def _composite(how: str, seen: Photo, light: Photo, covered: Photo) -> Photo:
    """Lay streaks that brighten, by how much of each pixel they cover, over what is seen."""
    if how == "add":
        return np.asarray(np.minimum(seen + light * covered, 1), np.float32)
    room = 1 - seen if how == "screen" else np.maximum(light - seen, 0)
    return np.asarray(seen + room * covered * (light if how == "screen" else 1), np.float32)


def streaks(image: Photo, parameters: Parameters, rng: np.random.Generator) -> Bodies:
    """Draw the streaks; their number is that whose sharp areas are `density` of the picture."""
    height, width = image.shape[:2]
    side = min(height, width)
    near, far, crowding = KINDS[parameters["kind"]]
    long, wide = parameters["length"] * side, parameters["width"] * side
    typical = float(np.mean(distances(rng, 4096, near, far, crowding) ** -2.0))
    count = round(parameters["density"] * height * width / (long * wide * typical))
    distance = distances(rng, count, near, far, crowding)
    drop = np.exp(rng.normal(0, 0.25, count)) / distance
    sharp = wide / 2 * drop
    blurred = sharp + parameters["blur"] * wide / 2 * np.abs(1 / distance - 1)
    radius = np.maximum(blurred, 0.6)
    glint = rng.random(count)
    bodies = {
        "x": rng.uniform(0, width, count),
        "y": rng.uniform(0, height, count),
        "angle": parameters["angle"] + parameters["turbulence"] * rng.normal(0, 1, count),
        "path": long * np.sqrt(drop / distance) * rng.uniform(0.6, 1.2, count),
        "radius": radius,
        "softness": 1.9 * radius,
        "opacity": parameters["opacity"]
        * np.minimum(sharp / radius, 1)
        * (0.25 + 0.75 * glint**1.5),
        "taper": rng.uniform(0.5, 1.0, count),
        "lobes": np.zeros(count),
        "rank": rng.random(count) ** (0.5 + 1.5 * glint),
    }
    return Bodies(**{name: column.astype(np.float32) for name, column in bodies.items()})


RAIN = Operation(
    name="rain",
    label=2,
    version=VERSION,
    stage="scene",
    summary="streaks from far drizzle to near and blurred, splashes, and the mist of the far drops",
    source="composites of rain generators, mist of Li et al., CVPR 2019; distances: our reading",
    parameters=PARAMETERS,
    draw=draw,
    prepare=prepare,
    usual=(0.3, 1.0),
    needs_depth=True,
)
