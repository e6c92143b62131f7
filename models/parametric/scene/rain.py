"""Rain: streaks that falling drops leave during the exposure, in layers of depth, and their veil.

Streaks are made as rain generators for training make them: random seeds, a directional motion
filter, a threshold, and a composite that only adds light (screen) or mixes towards the colour of
the sky (alpha); several layers share one dominant angle. A veil of unresolved far drops behaves as
haze (Li et al., "Heavy Rain Image Restoration", CVPR 2019). Works on display values as Rain13K's
sources do. The strength lowers the threshold: more streaks show, each longer and brighter.
"""

from __future__ import annotations

import numpy as np

from gends.models.parametric.depth import veil_thickness
from gends.models.parametric.draw import chance, log_uniform, uniform
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.particles import scatter, streak
from gends.models.parametric.plasma import plasma
from gends.models.pixels import Photo, Plane

VERSION = 1


def draw(rng: np.random.Generator) -> Parameters:
    """Draw the wind, one to four layers of streaks from far to near, and the veil.

    Tilt from the vertical: half of all rain within ±10°, the rest up to ±45° (light and medium
    rain of published generators), ±4° between layers. Far streaks are short, thin and many, near
    ones long, broad and few: 3 to 20 % of the shorter side, 0.3 to 1.2 % wide (published
    generators: 25 to 55 px by 1 to 9 px).
    """
    angle = uniform(rng, -10, 10) if chance(rng, 0.5) else uniform(rng, -45, 45)
    layers = int(rng.integers(1, 5))
    nearest = uniform(rng, 0.3, 1.0)
    veiled = chance(rng, 0.4)
    return {
        "layers": [_layer(rng, angle, nearest * (n + 1) / layers) for n in range(layers)],
        "composite": "screen" if chance(rng, 0.7) else "alpha",
        "light": uniform(rng, 0.7, 1.0),
        "opacity": uniform(rng, 0.4, 0.95),
        "gusts": uniform(rng, 0.0, 0.5),
        "veil": uniform(rng, 0.15, 0.9) if veiled else 0.0,
        "veil_light": uniform(rng, 0.6, 0.85),
    }


def _layer(rng: np.random.Generator, angle: float, nearness: float) -> Parameters:
    return {
        "angle": round(angle + uniform(rng, -4, 4), 4),
        "length": round(uniform(rng, 0.03, 0.06) + 0.14 * nearness**1.5 * uniform(rng, 0.6, 1), 4),
        "width": round(0.003 + 0.009 * nearness**2 * uniform(rng, 0.5, 1.0), 4),
        "count": round(log_uniform(rng, 600, 2400) / (0.4 + 6 * nearness**1.5)),
    }


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Draw every streak there may be; the renderer decides how much of them is seen."""
    rng = np.random.default_rng(seed)
    fields = [_streaks(image, layer, rng) for layer in parameters["layers"]]
    gusts = plasma(image.shape[:2], rng, cells=2.0, octaves=2)
    weight = 1 - np.float32(parameters["gusts"]) * gusts
    fields = [field * weight for field in fields]
    veil = veil_thickness(image, rng) if parameters["veil"] else None
    light, veil_light = np.float32(parameters["light"]), np.float32(parameters["veil_light"])
    screen, opacity = parameters["composite"] == "screen", parameters["opacity"]

    def render(strength: float) -> Photo:
        seen = image
        if veil is not None:
            kept = np.exp(np.float32(-2 * parameters["veil"] * strength**2) * veil)
            seen = veil_light + (image - veil_light) * kept[..., np.newaxis]
        if screen:
            clear = _clear(fields, strength, opacity * parameters["light"])[..., np.newaxis]
            return np.asarray(1 - (1 - seen) * clear, np.float32)
        clear = _clear(fields, strength, opacity)[..., np.newaxis]
        return np.asarray(light + (seen - light) * clear, np.float32)

    return render


def _streaks(image: Photo, layer: Parameters, rng: np.random.Generator) -> Plane:
    side = min(image.shape[:2])
    kernel = streak(layer["length"] * side, max(layer["width"] * side, 0.9), layer["angle"])
    longer = max(image.shape[:2]) / side
    return scatter(image.shape[:2], kernel, layer["count"] * longer, rng)


def _clear(fields: list[Plane], strength: float, opacity: float) -> Plane:
    """Fraction of the background's light that no streak covers."""
    threshold, cover = np.float32((1 - strength) ** 1.5), np.float32(opacity)
    clear = np.ones_like(fields[0])
    for field in fields:
        clear *= 1 - cover * np.maximum(field - threshold, 0)
    return clear


RAIN = Operation(
    name="rain",
    label=2,
    version=VERSION,
    stage="scene",
    summary="streaks of falling drops, and the veil of the far ones",
    source="streaks as rain generators make them; veil of Li et al., CVPR 2019",
    parameters={},
    draw=draw,
    prepare=prepare,
    usual=(0.1, 1.0),
)
