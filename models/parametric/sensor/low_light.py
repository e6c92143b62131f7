"""Low light: less exposure, a steeper tone curve, and the sensor's noise in what is left.

I = clip(s·(a·J)^g + n) (the synthesis of LLNet, arXiv 1511.03995, and MBLLEN, BMVC 2018). The scale
s acts on scene light behind a film-like shoulder, because what is white in the photograph was
brighter than it shows and stays bright when exposed less; s may differ over the image.
The noise is Poissonian-Gaussian (Foi et al., IEEE TIP 2008): its variance in linear light is
y/peak + read², carried over to display values through the slope of the tone curve. The strength
moves s and g from 1 towards their darkest values and lets the noise in.
"""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.draw import chance, log_uniform, uniform
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.plasma import plasma
from gends.models.parametric.tone import GAMMA, compress, decode, encode, expand
from gends.models.pixels import Photo

VERSION = 1


def draw(rng: np.random.Generator) -> Parameters:
    """Draw the tone curve, the light's colour and fall-off, and the sensor.

    a U(0.9, 1) and g up to 5 as MBLLEN draws them; s goes down to 0.02, as LOL's exposures do. Peak
    80 to 1,500 photo-electrons; read noise 0.02 to 0.3 % of full scale; casts of ±5 %.
    """
    warmth = uniform(rng, -0.05, 0.05)
    pooled = chance(rng, 0.5)
    return {
        "exposure": uniform(rng, 0.3, 1.0) if pooled else uniform(rng, 0.02, 0.3),
        "shoulder": uniform(rng, 0.0, 0.9),
        "level": uniform(rng, 0.9, 1.0),
        "gamma": uniform(rng, 1.0, 1.5) if chance(rng, 0.6) else uniform(rng, 1.5, 5.0),
        "cast": [round(1 + warmth, 4), 1.0, round(1 - warmth, 4)],
        "falloff": uniform(rng, 0.7, 1.0) if pooled else 0.0,
        "peak": log_uniform(rng, 80, 1500),
        "read": log_uniform(rng, 0.0002, 0.003),
        "chroma": uniform(rng, 0.4, 1.0),
        "grain": uniform(rng, 0.0, 0.7),
    }


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Draw the noise and the fall-off of the light; the renderer dims."""
    rng = np.random.default_rng(seed)
    noise = _noise(image, parameters, rng)
    shade = np.zeros(image.shape[:2], np.float32)
    if parameters["falloff"]:
        spread = plasma(image.shape[:2], rng, cells=1.2, octaves=2)
        shade = np.float32(parameters["falloff"]) * spread * spread * (3 - 2 * spread)
    cast = np.array(parameters["cast"], np.float32)

    shoulder = parameters["shoulder"]

    def render(strength: float) -> Photo:
        part = np.float32(strength)
        level = 1 + part * np.float32(parameters["level"] - 1)
        gamma = GAMMA * (1 + strength * (parameters["gamma"] - 1))
        scene = expand(decode(image * level, gamma), shoulder)
        scale = 1 + part * np.float32(parameters["exposure"] - 1)
        scene *= decode(scale * (1 - part * shade))[..., np.newaxis] * (1 + part * (cast - 1))
        seen = compress(scene, shoulder)
        return np.asarray(np.clip(encode(seen) + part * _deviation(seen, parameters) * noise, 0, 1))

    return render


def _noise(image: Photo, parameters: Parameters, rng: np.random.Generator) -> Photo:
    """Unit noise: partly shared by the channels, partly their own, slightly coarse."""
    chroma, grain = np.float32(parameters["chroma"]), parameters["grain"]
    own = rng.standard_normal(image.shape, dtype=np.float32)
    shared = rng.standard_normal((*image.shape[:2], 1), dtype=np.float32)
    noise = chroma * own + np.sqrt(1 - chroma * chroma) * shared
    if grain > 0.3:
        noise = cv2.GaussianBlur(noise, (0, 0), grain)
        noise /= np.float32(noise.std())
    return np.asarray(noise, np.float32)


def _deviation(linear: Photo, parameters: Parameters) -> Photo:
    variance = linear / np.float32(parameters["peak"]) + np.float32(parameters["read"] ** 2)
    # The true curve's slope is infinite at black; cameras use a linear toe there.
    toe = np.float32(2e-3)
    slope = np.asarray(cv2.pow(linear + toe, 1 / GAMMA - 1)) / np.float32(GAMMA)
    return np.asarray(np.sqrt(variance) * slope)


LOW_LIGHT = Operation(
    name="low_light",
    label=5,
    version=VERSION,
    stage="sensor",
    summary="less exposure, a steeper tone curve, noise",
    source="I = clip(s·(a·J)^g + n) (LLNet, MBLLEN)",
    parameters={},
    draw=draw,
    prepare=prepare,
    usual=(0.1, 1.0),
)
