"""Sensor noise as a camera's processing leaves it: unprocess, add noise to the raw, process.

Brooks et al. (CVPR 2019): inverse of the smoothstep tone curve, power law 2.2, colour matrix, white
balance, mosaic; shot and read noise; and all of it forth again. Ours is a film-like shoulder before
the power law: without it, highlights have three times the noise of PolyU's photographs.
out = in + (ISP(raw + noise) − ISP(raw)), so that the pair differs by noise only. The strength is
the shot noise's deviation; read noise rises with it as from one ISO setting to the next.
"""

from __future__ import annotations

import numpy as np

from gends.models.parametric.draw import uniform
from gends.models.parametric.filters.tone import compress, decode, encode, expand
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter, Scale
from gends.models.parametric.sensor import camera
from gends.models.pixels import Photo

SHOT_SIGMA = Scale(
    name="shot_sigma",
    meaning="standard deviation of shot noise where the raw is white, √shot",
    zero=0,
    full=0.2,
)


def draw(rng: np.random.Generator) -> Parameters:
    """Draw a camera and its shoulder; with 0.8 noise falls towards white as it does in PolyU."""
    return {"shoulder": uniform(rng, 0.3, 0.9), **camera.draw(rng)}


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Unprocess, and draw the noise of the mosaic; the renderer scales and processes."""
    unit = np.random.default_rng(seed).standard_normal(image.shape[:2], dtype=np.float32)
    sensor = camera.Camera.of(parameters)
    shoulder = parameters["shoulder"]
    white = np.float32(1 / (1 - shoulder))
    linear = expand(decode(_untoned(np.clip(image, 0, 1))), shoulder) / white

    def displayed(light: Photo) -> Photo:
        return _toned(encode(compress(np.clip(light, 0, 1) * white, shoulder)))

    clean = displayed(linear)

    def render(strength: float) -> Photo:
        shot = SHOT_SIGMA.value(strength) ** 2
        read = camera.read_variance(shot, parameters["read_offset"])
        noisy = linear + sensor.noise(linear, unit, shot, read)
        return np.asarray(np.clip(image + (displayed(noisy) - clean), 0, 1))

    return render


def _toned(display: Photo) -> Photo:
    return np.asarray(display * display * (3 - 2 * display))


def _untoned(display: Photo) -> Photo:
    return np.asarray(np.float32(0.5) - np.sin(np.arcsin(1 - 2 * display) / 3))


SENSOR_NOISE = Operation(
    name="sensor_noise",
    label=21,
    version=1,
    stage="sensor",
    summary="shot and read noise of the raw, seen through the camera's processing",
    source="unprocessing (Brooks et al., CVPR 2019), sections 3.1 to 3.6",
    parameters={
        "shoulder": Parameter(
            meaning="how softly the tone curve bends to white: highlights have less noise; 0: not",
            high=0.95,
        ),
        **camera.PARAMETERS,
    },
    draw=draw,
    prepare=prepare,
    usual=(0.03, 0.4),
    scale=SHOT_SIGMA,
)
