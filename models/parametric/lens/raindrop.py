"""Raindrops on lens or window: each a small wide-angle lens that shows the scene upside down.

I = (1 − α)·J + α·D in linear light (Qian et al., CVPR 2018, arXiv 1711.10098), D the light that
comes through the drop. A ray leaves the water through its curved surface: Snell's law with
n = 1.33 says where it goes, Fresnel's equations how much of it there is; beyond 48.8° there is
none, which makes the dark rim. The scene is far behind the glass, so that a deviation by δ moves
the line of sight by f·tan δ. Glass and drops are out of focus together. The strength makes one
body of water after another appear.
"""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.draw import chance, log_uniform, uniform
from gends.models.parametric.fields.specks import disc
from gends.models.parametric.filters.tone import decode, encode
from gends.models.parametric.lens.water import Water, lay
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter
from gends.models.pixels import Photo, Plane

VERSION = 2

INDEX = 1.33
"""Refractive index of water."""

ENTRY = 0.12
"""Part of the strength scale over which one body of water appears."""

MINIFIED = (6.0, 40.0)
"""The scene in a drop is small: it is read from copies of a large and of a small drop's scale."""


def draw(rng: np.random.Generator) -> Parameters:
    """Draw sizes, number, shape, optics.

    Radii from mist (0.15 % of the shorter side) to big drops (8 %; Raindrop: up to 40 px at 480);
    one picture in four with drops that ran down; defocus from sharp to 3 % of the shorter side.
    """
    smallest = log_uniform(rng, 0.0015, 0.012)
    runs = int(rng.integers(1, 5)) if chance(rng, 0.25) else 0
    return {
        "smallest": smallest,
        "largest": max(log_uniform(rng, 0.015, 0.08), round(1.5 * smallest, 4)),
        "size_exponent": uniform(rng, 1.6, 3.0),
        "coverage": log_uniform(rng, 0.2, 1.0),
        "runs": runs,
        "elongation": uniform(rng, 1.0, 1.5),
        "irregularity": uniform(rng, 0.0, 0.6),
        "outline": uniform(rng, 0.0, 0.35),
        "contact_angle": uniform(rng, 35.0, 85.0),
        "focal_length": uniform(rng, 1.0, 2.5),
        "defocus": log_uniform(rng, 0.0012, 0.03),
        "transmission": uniform(rng, 0.75, 1.0),
        "rim_light": uniform(rng, 0.0, 0.7),
        "skylight": uniform(rng, 0.5, 2.0),
        "glint": uniform(rng, 0.1, 1.0) if chance(rng, 0.4) else 0.0,
        "light_angle": uniform(rng, -60.0, 60.0),
    }


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Lay the water, refract the scene through it, put it out of focus."""
    scene, side = decode(image), min(image.shape[:2])
    water = lay(image.shape[:2], parameters, np.random.default_rng(seed))
    light = refracted(scene, water, parameters) * water.cover[..., np.newaxis]
    blur = _defocus(parameters["defocus"] * side)
    light, cover, weighted = (
        np.asarray(cv2.filter2D(sharp, -1, blur, borderType=cv2.BORDER_REFLECT), np.float32)
        for sharp in (light, water.cover, water.cover * water.rank)
    )
    # Where two bodies blur into each other the rank goes smoothly from one's to the other's.
    rank = weighted / np.maximum(cover, np.float32(1e-3))
    wet = (cover > 2e-3)[..., np.newaxis]
    change = light - cover[..., np.newaxis] * scene

    def render(strength: float) -> Photo:
        entered = (np.float32(strength * (1 + ENTRY)) - rank) / np.float32(ENTRY)
        seen = np.clip(entered, 0, 1)[..., np.newaxis]
        mixed = encode(np.clip(scene + seen * change, 0, 1))
        return np.asarray(np.where(wet & (seen > 0), mixed, image), np.float32)

    return render


def refracted(scene: Photo, water: Water, parameters: Parameters) -> Photo:
    """Light of a linear `scene` that reaches the camera through the water, (H, W, 3)."""
    steep = np.float32(np.sin(np.deg2rad(parameters["contact_angle"])))
    across, down = steep * water.across, steep * water.down
    inside = np.clip(np.hypot(across, down), 1e-6, 0.9999)
    outside = np.minimum(np.float32(INDEX) * inside, 1)
    deviation = np.tan(np.arcsin(outside) - np.arcsin(inside))
    reach = np.float32(parameters["focal_length"] * min(scene.shape[:2])) * deviation / inside
    column = np.arange(scene.shape[1], dtype=np.float32) - reach * across
    row = np.arange(scene.shape[0], dtype=np.float32)[:, np.newaxis] - reach * down
    light = _seen(scene, column, row, water.radius, parameters["skylight"])
    through = (np.float32(parameters["transmission"]) * _fresnel(inside, outside))[..., np.newaxis]
    ambient = np.float32(parameters["rim_light"]) * scene.mean(axis=(0, 1))
    light = light * through + ambient * (1 - through)
    return np.asarray(light + _glint(water, parameters)[..., np.newaxis], np.float32)


def _fresnel(inside: Plane, outside: Plane) -> Plane:
    """Share of unpolarised light that passes from air into water, by the sines of its angles."""
    water, air = np.sqrt(1 - inside * inside), np.sqrt(1 - outside * outside)
    index = np.float32(INDEX)
    across = (index * water - air) / (index * water + air)
    along = (water - index * air) / (water + index * air)
    return np.asarray(1 - (across * across + along * along) / 2)


def _seen(scene: Photo, column: Plane, row: Plane, radius: Plane, skylight: float) -> Photo:
    """The scene at the given points; what lies above the picture is as bright as the sky."""
    side = min(scene.shape[:2])
    copies = []
    for times in MINIFIED:
        shape = (max(4, int(scene.shape[1] / times)), max(4, int(scene.shape[0] / times)))
        small = cv2.resize(scene, shape, interpolation=cv2.INTER_AREA)
        x, y = column * (shape[0] / scene.shape[1]), row * (shape[1] / scene.shape[0])
        copies.append(
            cv2.remap(
                small,
                x.astype(np.float32) - np.float32(0.5),
                y.astype(np.float32) - np.float32(0.5),
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REFLECT_101,
            )
        )
    times = side / np.maximum(radius, 1)
    coarse = np.clip(np.log(times / MINIFIED[0]) / np.log(MINIFIED[1] / MINIFIED[0]), 0, 1)
    light = copies[0] + coarse[..., np.newaxis] * (copies[1] - copies[0])
    sky = np.percentile(small, 99, axis=(0, 1)).astype(np.float32)
    above = np.clip(-row / np.float32(0.25 * side), 0, 1)
    return np.asarray(
        light + above[..., np.newaxis] * (np.float32(skylight) * sky - light), np.float32
    )


def _glint(water: Water, parameters: Parameters) -> Plane:
    """Mirror image of a light above, near the edge of every drop that faces it."""
    angle = np.deg2rad(parameters["light_angle"])
    x, y = np.float32(0.6 * np.sin(angle)), np.float32(-0.6 * np.cos(angle))
    spot = np.square(water.across - x) + np.square(water.down - y)
    return np.asarray(np.float32(parameters["glint"]) * np.exp(spot / np.float32(-0.012)))


def _defocus(radius: float) -> Plane:
    kernel = disc(max(radius, 0.4), 1.0)
    return np.asarray(kernel / kernel.sum(), np.float32)


_SIDE = "of the shorter side"
RAINDROP = Operation(
    name="raindrop",
    label=6,
    version=VERSION,
    stage="lens",
    summary="drops on the glass that refract the scene",
    source="I = (1 − α)·J + α·D (arXiv 1711.10098), D by Snell's law and Fresnel's equations",
    parameters={
        "smallest": Parameter(
            meaning="radius of the smallest drops", low=5e-4, high=0.2, unit=_SIDE
        ),
        "largest": Parameter(meaning="radius of the largest drops", low=1e-3, high=0.5, unit=_SIDE),
        "size_exponent": Parameter(
            meaning="number of drops falls with this power of their radius", low=1.1, high=5
        ),
        "coverage": Parameter(meaning="area of all drops in that of the image", high=2.0),
        "runs": Parameter(meaning="drops that ran down and left a trail", high=30, is_whole=True),
        "elongation": Parameter(meaning="height over width of a drop at most", low=1, high=3),
        "irregularity": Parameter(meaning="how far large drops bulge", high=1.5, unit="radii"),
        "outline": Parameter(meaning="roughness of outlines", unit="squared radii"),
        "contact_angle": Parameter(
            meaning="slope of the water at the edge of a drop", low=5, high=90, unit="degrees"
        ),
        "focal_length": Parameter(
            meaning="focal length of the camera", low=0.3, high=5, unit=_SIDE
        ),
        "defocus": Parameter(meaning="radius of the disc of confusion", high=0.1, unit=_SIDE),
        "transmission": Parameter(meaning="share of light that clean water lets through"),
        "rim_light": Parameter(meaning="light at the rim over the mean of the scene", high=2),
        "skylight": Parameter(
            meaning="light from above the picture over the brightest in it", high=5
        ),
        "glint": Parameter(meaning="brightness of the mirror image of a light", high=5),
        "light_angle": Parameter(
            meaning="direction of that light from the vertical", low=-180, high=180, unit="degrees"
        ),
    },
    draw=draw,
    prepare=prepare,
    usual=(0.1, 1.0),
    is_local=True,
)
