"""Flare: light of a bright source that the lens itself scatters and mirrors into the picture.

I = J + s·F in linear light, clipped where the sensor is full (the additive model of Wu et al., ICCV
2021, arXiv 2011.12485, and of Flare7K, arXiv 2210.06570). F is the source's glow, the starburst of
the aperture's blades, a halo, ghosts on the line through the image's centre, a veil over
everything, and the bloom of the picture's own highlights. The profiles are our reading.
"""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.draw import chance, log_uniform, uniform
from gends.models.parametric.filters.soften import soften
from gends.models.parametric.filters.tone import decode, encode
from gends.models.parametric.operation import Operation, Parameters, Renderer, Size
from gends.models.parametric.parameter import Parameter
from gends.models.pixels import Photo, Plane

VERSION = 1

LARGE = 512
"""Shorter side, in pixels, beyond which flare is made on a smaller copy."""

RAINBOW = np.array([1.0, 0.96, 0.92], np.float32)
"""Relative size of a diffraction pattern in red, green and blue; exaggerated less than in glass."""


def draw(rng: np.random.Generator) -> Parameters:
    """Draw the source: its place, mostly in the upper half, its colour; and the parts of F."""
    warm = uniform(rng, -0.25, 0.35)
    return {
        "position": [uniform(rng, -0.1, 1.1), uniform(rng, -0.1, 0.7)],
        "colour": [round(min(1, 1 + warm), 4), 0.9, round(min(1.0, 1 - warm), 4)],
        "glow": uniform(rng, 0.3, 1.0),
        "glow_size": log_uniform(rng, 0.03, 0.15),
        "streaks": int(rng.integers(2, 19)) if chance(rng, 0.8) else 0,
        "streak_angle": uniform(rng, 0.0, 180.0),
        "streak_length": log_uniform(rng, 0.15, 0.9),
        "streak_light": uniform(rng, 0.2, 1.0),
        "halo": uniform(rng, 0.05, 0.35) if chance(rng, 0.4) else 0.0,
        "halo_radius": uniform(rng, 0.15, 0.5),
        "ghosts": int(rng.integers(2, 10)) if chance(rng, 0.6) else 0,
        "ghost_light": uniform(rng, 0.03, 0.25),
        "veil": uniform(rng, 0.0, 0.2),
        "bloom": uniform(rng, 0.0, 0.6),
    }


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Add up the flare at full strength."""
    scene = decode(image)
    flare = _light_at_once(scene, parameters, np.random.default_rng(seed))

    def render(strength: float) -> Photo:
        return encode(np.minimum(scene + np.float32(strength) * flare, 1))

    return render


def _light_at_once(scene: Photo, parameters: Parameters, rng: np.random.Generator) -> Photo:
    """`light`, of a large picture on a smaller copy: nothing in it is sharp."""
    height, width = scene.shape[:2]
    times = LARGE / min(height, width)
    if times >= 1:
        return light(scene, parameters, rng)
    small = cv2.resize(scene, None, fx=times, fy=times, interpolation=cv2.INTER_AREA)
    flare = light(np.asarray(small, np.float32), parameters, rng)
    return np.asarray(cv2.resize(flare, (width, height), interpolation=cv2.INTER_LINEAR))


def light(scene: Photo, parameters: Parameters, rng: np.random.Generator) -> Photo:
    """Light (H, W, 3) that the lens adds to a linear `scene`; nowhere negative."""
    size, side = scene.shape[:2], min(scene.shape[:2])
    x0, y0 = parameters["position"][0] * size[1], parameters["position"][1] * size[0]
    x = (np.arange(size[1], dtype=np.float32) - np.float32(x0))[np.newaxis, :] / np.float32(side)
    y = (np.arange(size[0], dtype=np.float32) - np.float32(y0))[:, np.newaxis] / np.float32(side)
    far = np.hypot(x, y)
    wide = parameters["veil"] * np.exp(-far / np.float32(1.5)) + parameters["glow"] * _glow(
        far, parameters["glow_size"]
    )
    flare = np.repeat(wide[..., np.newaxis], 3, axis=2).astype(np.float32)
    rays = rng.uniform(0.6, 1.4, max(1, int(parameters["streaks"])))
    fringe = np.float32(parameters["halo_radius"]) * (2 - RAINBOW)
    for channel, scale in enumerate(RAINBOW):
        if parameters["streaks"]:
            flare[..., channel] += _starburst(x / scale, y / scale, parameters, rays)
        if parameters["halo"]:
            ring = np.square((far - fringe[channel]) / np.float32(0.025))
            flare[..., channel] += np.float32(parameters["halo"]) * np.exp(-ring)
    flare *= np.array(parameters["colour"], np.float32)
    _add_ghosts(flare, (x0, y0), parameters, rng)
    if parameters["bloom"]:
        bright = np.maximum(scene - np.float32(0.6), 0) / np.float32(0.4)
        for share in (0.006, 0.03):
            blurred = np.maximum(soften(bright, share * side), 0)
            flare += np.float32(parameters["bloom"] / 2) * blurred
    return flare


def _glow(far: Plane, radius: float) -> Plane:
    """A saturated core of `radius`/2, and a tail that falls with the third power."""
    ratio = far / np.float32(radius)
    return np.asarray(2 / (1 + (2 * ratio) ** 3))


def _starburst(x: Plane, y: Plane, parameters: Parameters, rays: np.ndarray) -> Plane:
    """Rays at equal angles from the first, `streaks` of them all around, each of its own length."""
    total = np.zeros(np.broadcast_shapes(x.shape, y.shape), np.float32)
    number = int(parameters["streaks"])
    for index, one in enumerate(rays):
        angle = np.deg2rad(parameters["streak_angle"]) + 2 * np.pi * index / number
        along = x * np.float32(np.cos(angle)) - y * np.float32(np.sin(angle))
        across = x * np.float32(np.sin(angle)) + y * np.float32(np.cos(angle))
        width = np.float32(0.004) + np.float32(0.008) * np.abs(along)
        length = np.float32(parameters["streak_length"] * one)
        fall = np.exp(-np.abs(along) / (length / 3)) / (1 + np.square(across / width))
        total += np.where(along > 0, fall, np.exp(np.minimum(along, 0) / width) * fall)
    return np.asarray(np.float32(parameters["streak_light"]) * total, np.float32)


def _add_ghosts(
    flare: Photo, source: tuple[float, float], parameters: Parameters, rng: np.random.Generator
) -> None:
    """Out-of-focus images of the aperture, at −a times the source's place from the centre."""
    size: Size = (flare.shape[0], flare.shape[1])
    side, blades = min(size), int(rng.integers(5, 9))
    middle = np.array([size[1], size[0]]) / 2
    for _ in range(int(parameters["ghosts"])):
        place = middle - rng.uniform(-0.6, 1.4) * (np.array(source) - middle)
        radius = side * 0.015 * np.exp(rng.uniform(0, 2.3))
        colour = np.float32(parameters["ghost_light"]) * rng.uniform(0.1, 1, 3).astype(np.float32)
        reach = int(radius * 1.15) + 3
        left, top = (max(0, int(c) - reach) for c in place)
        right, bottom = (max(0, int(c) + reach) for c in place)
        x = np.arange(left, min(right, size[1]), dtype=np.float32) - np.float32(place[0])
        y = np.arange(top, min(bottom, size[0]), dtype=np.float32)[:, np.newaxis]
        shape = _aperture(x, y - np.float32(place[1]), radius, blades)
        flare[top:bottom, left:right] += shape[..., np.newaxis] * colour


def _aperture(x: Plane, y: Plane, radius: float, blades: int) -> Plane:
    """A polygon with soft edges, brighter towards them."""
    angle = np.arctan2(y, x) % (2 * np.pi / blades) - np.pi / blades
    ratio = np.hypot(x, y) / np.float32(radius) * (0.5 + 0.5 * np.cos(angle))
    edge = np.clip((1 - ratio) * np.float32(6), 0, 1)
    return np.asarray(edge * (np.float32(0.5) + np.float32(0.5) * ratio**2), np.float32)


FLARE = Operation(
    name="flare",
    label=15,
    version=VERSION,
    stage="lens",
    summary="starburst, glow, halo, ghosts and veil of a bright light, bloom of highlights",
    source="I = J + F in linear light (arXiv 2011.12485, arXiv 2210.06570); profiles are ours",
    parameters={
        "position": Parameter(
            meaning="place of the source over width and height", low=-1, high=2, size=2
        ),
        "colour": Parameter(meaning="colour of the source in linear light, RGB", size=3),
        "glow": Parameter(meaning="light around the source", high=5),
        "glow_size": Parameter(
            meaning="radius of that light", low=1e-3, high=1, unit="of the shorter side"
        ),
        "streaks": Parameter(meaning="rays of the starburst", high=60, is_whole=True),
        "streak_angle": Parameter(
            meaning="direction of the first ray, anticlockwise from the right",
            low=-360,
            high=360,
            unit="degrees",
        ),
        "streak_length": Parameter(
            meaning="length of the rays", low=0.01, high=5, unit="of the shorter side"
        ),
        "streak_light": Parameter(meaning="light of the rays", high=5),
        "halo": Parameter(meaning="light of the ring around the source", high=5),
        "halo_radius": Parameter(
            meaning="radius of the ring", low=0.01, high=3, unit="of the shorter side"
        ),
        "ghosts": Parameter(meaning="images of the aperture", high=60, is_whole=True),
        "ghost_light": Parameter(meaning="light of the brightest of them", high=2),
        "veil": Parameter(meaning="light over the whole picture", high=2),
        "bloom": Parameter(meaning="light that highlights of the scene spread", high=5),
    },
    draw=draw,
    prepare=prepare,
    usual=(0.1, 1.0),
)
