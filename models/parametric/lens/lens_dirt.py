"""Dirt on the front lens: it takes light away and scatters other light into every pixel.

I = T·J + (1 − T)·D in linear light, the model of dirty lenses of Gu et al. (ACM TOG 28(5), 2009):
T the transmission, D what the dirt itself shows: its colour in the mean light of the scene, or,
where it is a smudge, the scene scattered over a wide angle. All lies on the glass and is out of
focus together. The shapes are our reading. The strength makes all dirt denser.
"""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.draw import chance, log_uniform, uniform
from gends.models.parametric.fields.specks import disc
from gends.models.parametric.filters.soften import soften
from gends.models.parametric.filters.tone import decode, encode
from gends.models.parametric.lens.dirt import dust, fibres, scratches, smudge, spatter
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter
from gends.models.pixels import Photo, Plane

VERSION = 1

DUST = np.array([0.75, 0.72, 0.66], np.float32)
"""Colour of dust and fibres in linear light."""


def draw(rng: np.random.Generator) -> Parameters:
    """Draw how much there is of each kind, how dense it is, its colour and its focus."""
    brown = uniform(rng, 0.05, 0.35)
    muddy = chance(rng, 0.5)
    greasy = not muddy or chance(rng, 0.3)
    return {
        "dust": int(rng.integers(60, 400)),
        "dust_size": log_uniform(rng, 0.007, 0.03),
        "dust_density": uniform(rng, 0.45, 0.95),
        "fibres": int(rng.integers(2, 16)) if chance(rng, 0.5) else 0,
        "spatter": int(rng.integers(30, 200)) if muddy else 0,
        "spatter_density": uniform(rng, 0.5, 1.0),
        "spatter_colour": [brown, round(brown * 0.8, 4), round(brown * uniform(rng, 0.4, 0.8), 4)],
        "smudge": uniform(rng, 0.4, 1.0) if greasy else 0.0,
        "scratches": int(rng.integers(2, 15)) if chance(rng, 0.4) else 0,
        "scatter": log_uniform(rng, 0.2, 2.0),
        "defocus": log_uniform(rng, 0.004, 0.03),
    }


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Lay all dirt in one layer over the scene; the renderer thins it."""
    scene = decode(image)
    opacity, light = layer(scene, parameters, np.random.default_rng(seed))
    dirty = (opacity > 1e-3)[..., np.newaxis]
    change = light - opacity[..., np.newaxis] * scene

    def render(strength: float) -> Photo:
        mixed = encode(np.clip(scene + np.float32(strength) * change, 0, 1))
        return np.asarray(np.where(dirty & (strength > 0), mixed, image), np.float32)

    return render


def layer(scene: Photo, parameters: Parameters, rng: np.random.Generator) -> tuple[Plane, Photo]:
    """Opacity (H, W) of all dirt and the light it adds (H, W, 3), both out of focus."""
    size, side = scene.shape[:2], min(scene.shape[:2])
    ambient = scene.mean(axis=(0, 1))
    grey = DUST * np.float32(parameters["scatter"]) * ambient
    mud = np.array(parameters["spatter_colour"], np.float32) * ambient
    specks = np.float32(parameters["dust_density"]) * dust(size, parameters, rng)
    lines = np.maximum(
        0.7 * fibres(size, parameters["fibres"], rng),
        0.5 * scratches(size, parameters["scratches"], rng),
    )
    spots = np.float32(parameters["spatter_density"]) * spatter(size, parameters["spatter"], rng)
    opacity = np.zeros(size, np.float32)
    light = np.zeros_like(scene)
    kernel = disc(max(parameters["defocus"] * side, 0.4), 1.0)
    kernel = np.asarray(kernel / kernel.sum(), np.float32)
    for cover, colour in ((np.maximum(specks, lines), grey), (spots, mud)):
        sharp = cover.astype(np.float32)
        blurred = cv2.filter2D(sharp, -1, kernel, borderType=cv2.BORDER_REFLECT)
        seen = np.where(blurred < 1e-3, 0, blurred).astype(np.float32)
        opacity, light = _over(opacity, light, seen, colour)
    if parameters["smudge"]:
        grease = np.float32(parameters["smudge"]) * smudge(size, rng)
        wide = soften(scene, 0.02 * side)
        opacity, light = _over(opacity, light, grease, 0.7 * wide + 0.3 * ambient)
    return opacity, light


def _over(below: Plane, light: Photo, cover: Plane, colour: Photo) -> tuple[Plane, Photo]:
    through = 1 - cover
    light = light * through[..., np.newaxis] + cover[..., np.newaxis] * colour
    return np.asarray(1 - (1 - below) * through, np.float32), np.asarray(light, np.float32)


LENS_DIRT = Operation(
    name="lens_dirt",
    label=14,
    version=VERSION,
    stage="lens",
    summary="dust, fibres, mud, smudges and scratches on the front lens, out of focus",
    source="I = T·J + (1 − T)·D (Gu et al., ACM TOG 28(5), 2009); shapes are our reading",
    parameters={
        "dust": Parameter(meaning="specks of dust", high=2000, is_whole=True),
        "dust_size": Parameter(
            meaning="radius of large specks", low=5e-4, high=0.2, unit="of the shorter side"
        ),
        "dust_density": Parameter(meaning="opacity of the largest speck"),
        "fibres": Parameter(meaning="hairs and lint", high=100, is_whole=True),
        "spatter": Parameter(meaning="splashes of mud", high=1000, is_whole=True),
        "spatter_density": Parameter(meaning="opacity of mud"),
        "spatter_colour": Parameter(meaning="colour of mud in linear light, RGB", size=3),
        "smudge": Parameter(meaning="opacity of grease"),
        "scratches": Parameter(meaning="scratches", high=500, is_whole=True),
        "scatter": Parameter(meaning="light of dust over the mean of the scene", high=5),
        "defocus": Parameter(
            meaning="radius of the disc of confusion", high=0.1, unit="of the shorter side"
        ),
    },
    draw=draw,
    prepare=prepare,
    usual=(0.1, 1.0),
    is_local=True,
)
