"""Snow: flakes from near, large and out of focus, to far, small and many, and the veil behind.

I = α·z + J·(1 − α) with the flakes' opacity α and their colour z (the model of Snow100K, Liu et
al., IEEE TIP 2018, arXiv 1708.04512), on display values as there. Distances fill the cone of sight;
a flake at distance d (1: in focus) appears 1/d as large, moves 1/d as far during the exposure, and
is blurred by |1/d − 1| (thin lens). What motion and blur spread is as much fainter. The veil is
haze, as in CSD (Chen et al., ICCV 2021). The strength lets more flakes appear, the brightest first,
and thickens the veil.
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
from gends.models.pixels import Photo, Plane

VERSION = 2

KINDS = {"flurry": (0.2, 2.0, 0.8), "snowfall": (0.25, 3.2, 1.2), "blizzard": (0.4, 4.0, 2.0)}
"""Nearest and farthest flake, and the power with which flakes grow more with distance."""

PARAMETERS = {
    "kind": Parameter(meaning="how deep the flakes lie", choices=tuple(KINDS)),
    "angle": Parameter(meaning="wind: path from the vertical", low=-90, high=90, unit="degrees"),
    "turbulence": Parameter(meaning="spread of the paths", high=45, unit="degrees"),
    "size": Parameter(
        meaning="radius of a flake in focus", low=0.0005, high=0.03, unit="of the shorter side"
    ),
    "spread": Parameter(meaning="spread of the sizes: deviation of their logarithm"),
    "density": Parameter(meaning="area of all flakes at full strength, of the picture's", high=2),
    "motion": Parameter(meaning="path during the exposure, of a flake's diameter", high=8),
    "blur": Parameter(meaning="radius of the blur at infinity, of a flake's radius", high=4),
    "clumps": Parameter(meaning="irregularity of the outlines"),
    "opacity": Parameter(meaning="opacity of a sharp flake at rest"),
    "light": Parameter(meaning="brightness of flakes and veil in full light"),
    "ambient": Parameter(meaning="how much the flakes' brightness follows the scene's light"),
    "gusts": Parameter(meaning="how unevenly the flakes lie"),
    "veil": Parameter(meaning="density of the veil of the far flakes"),
}


def draw(rng: np.random.Generator) -> Parameters:
    """Draw the kind, the wind, the flakes, their light and, in every second picture, the veil.

    Radii about those of Snow100K (1 to 9 px at 640 px), opacity 0.5 to 1 as there.
    """
    return {
        "kind": str(rng.choice(list(KINDS), p=(0.25, 0.5, 0.25))),
        "angle": uniform(rng, -50, 50),
        "turbulence": uniform(rng, 4, 20),
        "size": log_uniform(rng, 0.002, 0.007),
        "spread": uniform(rng, 0.3, 0.6),
        "density": log_uniform(rng, 0.08, 0.9),
        "motion": log_uniform(rng, 0.1, 2.5),
        "blur": uniform(rng, 0.2, 1.2),
        "clumps": uniform(rng, 0.2, 0.9),
        "opacity": uniform(rng, 0.8, 1.0),
        "light": uniform(rng, 0.85, 1.0),
        "ambient": uniform(rng, 0.0, 0.5),
        "gusts": uniform(rng, 0.0, 0.6),
        "veil": uniform(rng, 0.1, 0.9) if chance(rng, 0.5) else 0.0,
    }


def prepare(
    image: Photo, parameters: Parameters, seed: int, depth: Plane | None = None
) -> Renderer:
    """Place every flake there may be; the renderer decides how many of them are seen."""
    rng = np.random.default_rng(seed)
    depths = optical_depth(image.shape[:2], flakes(image, parameters, rng))
    depths *= 1 - np.float32(parameters["gusts"]) * plasma(
        image.shape[:2], rng, cells=2.0, octaves=3
    )
    veil = veil_thickness(image, rng, depth) if parameters["veil"] else None
    light = lit(image, parameters["light"], parameters["ambient"])

    def render(strength: float) -> Photo:
        clear = clear_share(depths, strength)
        if veil is not None:
            clear *= np.exp(np.float32(-3 * parameters["veil"] * strength**3) * veil)
        return np.asarray(light + (image - light) * clear[..., np.newaxis], np.float32)

    return render


def flakes(image: Photo, parameters: Parameters, rng: np.random.Generator) -> Bodies:
    """Draw the flakes; their number is that whose discs in focus have the area `density`."""
    height, width = image.shape[:2]
    near, far, crowding = KINDS[parameters["kind"]]
    typical = distances(rng, 4096, near, far, crowding)
    size = parameters["size"] * min(height, width)
    disc = np.pi * size**2 * np.mean(typical**-2.0) * np.exp(2 * parameters["spread"] ** 2)
    count = round(parameters["density"] * height * width / float(disc))
    distance = distances(rng, count, near, far, crowding)
    sharp = size / distance * np.exp(rng.normal(0, parameters["spread"], count))
    blurred = sharp + parameters["blur"] * size * np.abs(1 / distance - 1)
    radius = np.maximum(blurred, 0.6)
    path = 2 * parameters["motion"] * size / distance * rng.uniform(0.6, 1.4, count)
    spread = np.minimum(sharp / radius, 1) ** 1.5 * 2 * radius / (2 * radius + 0.6 * path)
    glint = rng.random(count)
    bodies = {
        "x": rng.uniform(0, width, count),
        "y": rng.uniform(0, height, count),
        "angle": parameters["angle"] + parameters["turbulence"] * rng.normal(0, 1, count),
        "path": path,
        "radius": radius,
        "softness": np.clip(1.1 * sharp + 2 * (blurred - sharp), 0.9, 2 * radius),
        "opacity": parameters["opacity"] * spread * (0.3 + 0.7 * glint),
        "taper": np.full(count, 0.3),
        "lobes": parameters["clumps"] * 0.25 * (sharp > 1) * sharp / radius,
        "rank": rng.random(count) ** (0.5 + 1.5 * glint),
    }
    return Bodies(**{name: column.astype(np.float32) for name, column in bodies.items()})


SNOW = Operation(
    name="snow",
    label=3,
    version=VERSION,
    stage="scene",
    summary="flakes from near and blurred to far and small, and the veil of the farthest",
    source="I = α·z + J·(1 − α) (Snow100K, arXiv 1708.04512); distances and focus: our reading",
    parameters=PARAMETERS,
    draw=draw,
    prepare=prepare,
    usual=(0.3, 1.0),
    needs_depth=True,
)
