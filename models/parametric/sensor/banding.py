"""Faults of a sensor: noise of rows or columns, hum, bands of pulsed light, fixed pattern.

Offsets in linear light: x + r with r of one value per line and a sinusoid across the lines
(readout noise and hum), and one of each pixel that never changes (fixed pattern, hot pixels); to
display values they go by the slope of the transfer curve, and so show in the shadows. Lamps that
pulse multiply the light of the lines of a rolling shutter by 1 + m·w. Ranges are our reading of
what cameras show. The strength scales all of it.
"""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.draw import chance, log_uniform, uniform
from gends.models.parametric.filters.tone import GAMMA, decode
from gends.models.parametric.operation import Operation, Parameters, Renderer, Size
from gends.models.parametric.parameter import Parameter
from gends.models.pixels import Photo, Plane

TOE = 0.02
"""The transfer curve's slope is infinite at black; cameras have a linear toe there."""

SHOULDER = 0.8
"""Of the tone curve between the scene and the picture, as in `tone.expand`."""


def draw(rng: np.random.Generator) -> Parameters:
    """One fault dominates: line noise, hum or pulsed light; others may join it.

    At full strength: line noise 3 to 12 of 255, hum 3 to 15, pulsed light 0.15 to 0.6 with 2 to 12
    bands, up to one hot pixel in 5,000, fixed pattern up to 4 of 255.
    """
    main = int(rng.integers(3))
    lines, hum, pulse = (chance(rng, 0.2) or main == n for n in range(3))
    return {
        "direction": "rows" if chance(rng, 0.7) else "columns",
        "line_sigma": log_uniform(rng, 3, 12) if lines else 0.0,
        "channels": "gray" if chance(rng, 0.7) else "colour",
        "hum": log_uniform(rng, 6, 18) if hum else 0.0,
        "hum_cycles": log_uniform(rng, 4, 80),
        "pulse": uniform(rng, 0.15, 0.6) if pulse else 0.0,
        "pulse_cycles": uniform(rng, 2, 12),
        "pulse_steepness": log_uniform(rng, 1, 4),
        "hot_share": log_uniform(rng, 1e-4, 2e-3) if chance(rng, 0.3) else 0.0,
        "fixed_sigma": uniform(rng, 0.5, 4) if chance(rng, 0.3) else 0.0,
        "sensor": int(rng.integers(1000)),
    }


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Draw what each line and each pixel adds; the renderer scales it."""
    light = np.clip(image, 0, 1)
    linear = decode(light)
    slope = cv2.pow(linear + np.float32(TOE), 1 / GAMMA - 1) / np.float32(GAMMA)
    # d ln(display)/d ln(scene): what is white was brighter and hardly changes.
    response = (1 - np.float32(SHOULDER) * linear) / np.float32(GAMMA)
    lines, pulse = _lines(image.shape[:2], parameters, np.random.default_rng(seed))
    offset = (lines + _fixed(image.shape[:2], parameters)) * slope

    def render(strength: float) -> Photo:
        part = np.float32(strength)
        lit = image * np.exp(response * np.log1p(part * pulse))
        return np.asarray(np.clip(lit + part * offset, 0, 1))

    return render


def _lines(size: Size, parameters: Parameters, rng: np.random.Generator) -> tuple[Photo, Photo]:
    """What lines add, (H, 1, 3) or (1, W, 3), and the relative change of light there."""
    axis = 0 if parameters["direction"] == "rows" else 1
    place = (np.arange(size[axis], dtype=np.float32) / np.float32(size[axis]))[:, np.newaxis]
    noise = rng.standard_normal((size[axis], 3), dtype=np.float32)
    if parameters["channels"] == "gray":
        noise = np.repeat(noise[:, :1], 3, axis=1)
    phases = rng.uniform(0, 2 * np.pi, 2).astype(np.float32)
    hum = np.sin(np.float32(2 * np.pi * parameters["hum_cycles"]) * place + phases[0])
    wave = np.sin(np.float32(2 * np.pi * parameters["pulse_cycles"]) * place + phases[1])
    pulse = np.clip(np.float32(parameters["pulse_steepness"]) * wave, -1, 1)
    added = np.float32(parameters["line_sigma"] / 255) * noise
    added += np.float32(parameters["hum"] / 255) * hum
    factor = np.repeat(np.float32(parameters["pulse"]) * pulse, 3, axis=1)
    return np.expand_dims(added, 1 - axis), np.expand_dims(factor, 1 - axis)


def _fixed(size: Size, parameters: Parameters) -> Photo:
    """What each pixel of this sensor adds to every picture: pattern, and hot pixels' crosses."""
    rng = np.random.default_rng((parameters["sensor"], *size))
    fixed = np.zeros((*size, 3), np.float32)
    if parameters["fixed_sigma"]:
        fixed += np.float32(parameters["fixed_sigma"] / 255) * _pattern(size, rng)
    count = round(parameters["hot_share"] * size[0] * size[1])
    if count:
        hot = np.zeros_like(fixed)
        y, x, channel = (rng.integers(n, size=count) for n in (*size, 3))
        hot[y, x, channel] = rng.exponential(0.5, count)
        # Bilinear demosaicing makes a small cross of each.
        fixed += cv2.sepFilter2D(hot, -1, *(np.array([0.5, 1, 0.5], np.float32),) * 2)
    return fixed


def _pattern(size: Size, rng: np.random.Generator) -> Plane:
    return rng.standard_normal((*size, 1), dtype=np.float32)


BANDING = Operation(
    name="banding",
    label=22,
    version=1,
    stage="sensor",
    summary="noise of rows or columns, hum, bands of pulsed light, hot pixels, fixed pattern",
    source="x·(1 + m·w) + r in linear light; ranges are our reading",
    parameters={
        "direction": Parameter(meaning="lines that are read out", choices=("rows", "columns")),
        "line_sigma": Parameter(
            meaning="standard deviation of the lines' offsets at full strength, in linear light",
            high=64,
            unit="of 255",
        ),
        "channels": Parameter(
            meaning="colour: each channel's lines are offset by themselves; gray: all alike",
            choices=("colour", "gray"),
        ),
        "hum": Parameter(
            meaning="amplitude of the sinusoid across the lines", high=64, unit="of 255"
        ),
        "hum_cycles": Parameter(meaning="periods of it over the picture", high=1000),
        "pulse": Parameter(
            meaning="relative change of light by pulsed lamps at full strength", high=0.95
        ),
        "pulse_cycles": Parameter(meaning="bands of pulsed light over the picture", high=1000),
        "pulse_steepness": Parameter(
            meaning="edges of these bands: 1 a sinusoid, more: ever steeper", low=1, high=100
        ),
        "hot_share": Parameter(meaning="hot pixels as a share of all", high=0.05),
        "fixed_sigma": Parameter(
            meaning="standard deviation of the fixed pattern at full strength",
            high=64,
            unit="of 255",
        ),
        "sensor": Parameter(
            meaning="number of the sensor: pictures of one share its pattern and hot pixels",
            high=2**31 - 1,
            is_whole=True,
        ),
    },
    draw=draw,
    prepare=prepare,
    usual=(0.1, 0.6),
)
