"""Snow: flakes in layers of depth before the scene, softly moved, and the veil of the far ones.

I = α·z + J·(1 − α) with the flakes' opacity α and their colour z (the model of Snow100K, Liu et
al., IEEE TIP 2018, arXiv 1708.04512); on display values as there. Flakes are discs and blobs from
under a pixel to two per cent of the image; the near ones are out of focus. The veil is haze, as in
CSD (Chen et al., ICCV 2021). The strength lets more flakes through and makes them more opaque.
"""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.depth import veil_thickness
from gends.models.parametric.draw import chance, log_uniform, uniform
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.particles import disc, scatter, streak
from gends.models.parametric.plasma import plasma
from gends.models.pixels import Photo, Plane

VERSION = 1


def draw(rng: np.random.Generator) -> Parameters:
    """Draw wind, three to five layers of flakes from far to near, and the veil.

    Radii of 0.3 to 2 % of the shorter side (Snow100K: 1 to 9 px at 640 px); opacity
    0.45 to 1, the far ones fainter; white from 0.9 to 1; a veil in every second image.
    """
    layers = int(rng.integers(3, 6))
    largest = log_uniform(rng, 0.006, 0.02)
    angle = uniform(rng, -40, 40)
    return {
        "layers": [_layer(rng, angle, largest, n / (layers - 1)) for n in range(layers)],
        "light": uniform(rng, 0.9, 1.0),
        "gusts": uniform(rng, 0.0, 0.5),
        "veil": uniform(rng, 0.1, 0.9) if chance(rng, 0.5) else 0.0,
    }


def _layer(rng: np.random.Generator, angle: float, largest: float, nearness: float) -> Parameters:
    radius = round(0.003 * (largest / 0.003) ** nearness, 5)
    return {
        "radius": radius,
        "softness": round(radius * uniform(rng, 0.8, 2.0), 5),
        "opacity": round(uniform(rng, 0.45, 0.75) + uniform(rng, 0.0, 0.25) * nearness, 4),
        "motion": round(radius * uniform(rng, 0.0, 3.0), 5),
        "angle": round(angle + uniform(rng, -15, 15), 4),
        "count": round(log_uniform(rng, 0.08, 0.35) * (0.4 + 0.5 * nearness) / (np.pi * radius**2)),
    }


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Scatter every flake there may be; the renderer decides how much of them is seen."""
    rng = np.random.default_rng(seed)
    size = image.shape[:2]
    gusts = 1 - np.float32(parameters["gusts"]) * plasma(size, rng, cells=2.0, octaves=3)
    fields = [_flakes(image, layer, rng) * gusts for layer in parameters["layers"]]
    opacities = [np.float32(layer["opacity"]) for layer in parameters["layers"]]
    veil = veil_thickness(image, rng) if parameters["veil"] else None
    light = np.float32(parameters["light"])

    def render(strength: float) -> Photo:
        clear = _clear(fields, opacities, strength)
        if veil is not None:
            clear *= np.exp(np.float32(-2 * parameters["veil"] * strength**2) * veil)
        return np.asarray(light + (image - light) * clear[..., np.newaxis], np.float32)

    return render


def _flakes(image: Photo, layer: Parameters, rng: np.random.Generator) -> Plane:
    size, side = image.shape[:2], min(image.shape[:2])
    radius = max(layer["radius"] * side, 0.55)
    kernel = disc(radius, max(layer["softness"] * side, 0.9))
    motion = layer["motion"] * side
    if motion >= 1:
        path = streak(motion, 1.0, layer["angle"])
        margin = path.shape[0] // 2
        still = np.pad(kernel, margin)
        moved = cv2.filter2D(still, -1, path, borderType=cv2.BORDER_CONSTANT)
        kernel = np.asarray(moved / moved.max(), np.float32)
    field = scatter(size, kernel, layer["count"] * max(size) / side, rng, faintest=0.1)
    return _ruffle(field, radius, rng)


def _ruffle(field: Plane, radius: float, rng: np.random.Generator) -> Plane:
    """Shift every point by up to half a flake's radius: outlines lose their roundness."""
    if radius < 1.5:
        return field
    cells = max(field.shape) / (2 * radius)
    shifts = [plasma(field.shape, rng, cells=cells, octaves=1) for _ in range(2)]
    y, x = np.mgrid[: field.shape[0], : field.shape[1]].astype(np.float32)
    reach = np.float32(radius)
    half = np.float32(0.5)
    return np.asarray(
        cv2.remap(
            field,
            x + reach * (shifts[0] - half),
            y + reach * (shifts[1] - half),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
    )


def _clear(fields: list[Plane], opacities: list[np.float32], strength: float) -> Plane:
    """Fraction of the background's light that no flake covers."""
    # Once a third of the scale has let the brightest flakes through, they have their full opacity.
    threshold, gain = np.float32(1 - strength), np.float32(1.3 / max(strength, 0.35))
    clear = np.ones_like(fields[0])
    for field, opacity in zip(fields, opacities, strict=True):
        clear *= 1 - opacity * np.clip(gain * (field - threshold), 0, 1)
    return clear


SNOW = Operation(
    name="snow",
    label=3,
    version=VERSION,
    stage="scene",
    summary="flakes at several depths, and the veil of the far ones",
    source="I = α·z + J·(1 − α) (Snow100K, arXiv 1708.04512)",
    parameters={},
    draw=draw,
    prepare=prepare,
    usual=(0.1, 1.0),
)
