"""Low light: a photograph taken with too little of it, through the sensor or as tone alone.

The light of the scene is scaled by 2^−EV behind a film-like shoulder, because what is white in the
photograph was brighter than it shows and stays bright when exposed less; it may fall off over the
image. As tone alone, that and I = (a·J)^g is all (LLNet, arXiv 1511.03995; MBLLEN, BMVC 2018).
Through the sensor, the raw gets shot and read noise (Brooks et al., CVPR 2019) and offsets of its
rows, is quantised to 10 to 14 bits, and the camera may brighten what is left (the order of MAET's
dark ISP, ICCV 2021). The strength is EV, and moves the rest from nothing to what was drawn.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gends.models.parametric.draw import chance, log_uniform, uniform
from gends.models.parametric.filters.tone import GAMMA, compress, decode, encode, expand
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter, Scale
from gends.models.parametric.sensor import camera
from gends.models.parametric.sensor.illumination import illumination
from gends.models.pixels import Photo

EV = Scale(name="ev", meaning="stops of missing light", zero=0, full=8, unit="stops")

NOISE_FROM = 1.0
"""From this EV on the sensor's noise is there in full."""


def draw(rng: np.random.Generator) -> Parameters:
    """Draw the tone curve, the light's colour and fall-off, and the sensor.

    a U(0.9, 1) and g up to 5 as MBLLEN draws them; casts of ±5 %; shot noise from 5e-5 to
    1e-3, read noise with it as in Brooks et al.; two of five cameras brighten, by up to two fifths.
    """
    warmth = uniform(rng, -0.05, 0.05)
    return {
        "kind": "sensor" if chance(rng, 0.75) else "tone",
        "shoulder": uniform(rng, 0.2, 0.9) if chance(rng, 0.4) else 0.0,
        "factor": uniform(rng, 0.9, 1.0),
        "gamma": uniform(rng, 1.0, 1.2) if chance(rng, 0.9) else uniform(rng, 1.2, 5.0),
        "cast": [round(1 + warmth, 4), 1.0, round(1 - warmth, 4)],
        "falloff": uniform(rng, 0.3, 1.0) if chance(rng, 0.6) else 0.0,
        "shot": round(log_uniform(rng, 5, 100) * 1e-5, 7),
        "row_sigma": uniform(rng, 0.05, 0.6) if chance(rng, 0.4) else 0.0,
        "bits": int(rng.choice([10, 12, 14], p=[0.15, 0.4, 0.45])),
        "brightening": uniform(rng, 0.1, 0.4) if chance(rng, 0.4) else 0.0,
        **camera.draw(rng),
    }


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Draw the fall-off of the light and the noise of the mosaic; the renderer dims."""
    rng = np.random.default_rng(seed)
    light = np.clip(image, 0, 1)
    dark = 1 - np.float32(parameters["falloff"]) * illumination(image, rng)
    noise = _sensor(image, parameters, rng) if parameters["kind"] == "sensor" else None
    cast = np.array(parameters["cast"], np.float32)
    shoulder = parameters["shoulder"]
    # No more than all parts miss: what is lit must not grow brighter than it was.
    regained = parameters["brightening"] * (1 - parameters["falloff"])

    def render(strength: float) -> Photo:
        part, ev = np.float32(strength), EV.value(strength)
        factor = 1 + part * np.float32(parameters["factor"] - 1)
        gamma = GAMMA * (1 + strength * (parameters["gamma"] - 1))
        scene = expand(decode(light * factor, gamma), shoulder) * (1 + part * (cast - 1))
        scene *= np.exp2(np.float32(-ev) * dark)[..., np.newaxis]
        if noise is not None:
            scene += np.float32(min(1.0, ev / NOISE_FROM)) * noise(np.minimum(scene, 1))
            scene *= np.float32(2 ** (ev * regained))
        return encode(np.clip(compress(scene, shoulder), 0, 1))

    return render


def _sensor(
    image: Photo, parameters: Parameters, rng: np.random.Generator
) -> Callable[[Photo], Photo]:
    """What the sensor's noise changes in linear light."""
    unit = rng.standard_normal(image.shape[:2], dtype=np.float32)
    rows = rng.standard_normal((image.shape[0], 1), dtype=np.float32)
    shot = parameters["shot"]
    read = camera.read_variance(shot, parameters["read_offset"])
    offsets = np.float32(parameters["row_sigma"] * np.sqrt(read)) * rows
    sensor = camera.Camera.of(parameters)

    def noise(linear: Photo) -> Photo:
        return sensor.noise(linear, unit, shot, read, bits=parameters["bits"], offsets=offsets)

    return noise


LOW_LIGHT = Operation(
    name="low_light",
    label=5,
    version=2,
    stage="sensor",
    summary="too little light: as tone alone, or with the sensor's noise in what is left",
    source="light·2^−EV, a and g of MBLLEN (BMVC 2018), noise of Brooks et al. (CVPR 2019)",
    parameters={
        "kind": Parameter(
            meaning="tone: darker only; sensor: with the noise and steps of the raw",
            choices=("sensor", "tone"),
        ),
        "shoulder": Parameter(
            meaning="how much brighter the scene was than white: 1/(1 − k) times", high=0.95
        ),
        "factor": Parameter(meaning="factor a of display values, at full strength", low=0.5),
        "gamma": Parameter(meaning="exponent g of display values, at full strength", low=1, high=5),
        "cast": Parameter(meaning="colour of the light, at full strength", high=2, size=3),
        "falloff": Parameter(
            meaning="share of the missing stops that lit parts do not miss; 0: evenly dark"
        ),
        "shot": Parameter(
            meaning="variance of shot noise where the raw is white", low=1e-6, high=0.1
        ),
        "row_sigma": Parameter(
            meaning="standard deviation of the rows' offsets", high=10, unit="of read noise"
        ),
        "bits": Parameter(
            meaning="bits of the raw, the black level's sixteenth included",
            low=8,
            high=16,
            is_whole=True,
        ),
        "brightening": Parameter(
            meaning="share of the stops missing everywhere that the camera brings back by gain"
        ),
        **camera.PARAMETERS,
    },
    draw=draw,
    prepare=prepare,
    usual=(0.1, 0.6),
    scale=EV,
)
