"""Motion blur: the sum of what the sensor saw while camera or scene moved.

I = K ∗ J in linear light (GoPro's "blur_gamma", Nah et al., CVPR 2017), K the trace of a path. The
path's centroid lies on the kernel's centre, so that the pair stays aligned. The strength scales the
path; its points are shared between pixels bilinearly, which keeps the centroid exactly and makes
severity a continuous function of the strength.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from gends.models.parametric.draw import chance, uniform
from gends.models.parametric.fourier import fast_size, filtered, spectrum, transfer
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.tone import compress, decode, encode, expand
from gends.models.pixels import Photo, Plane

VERSION = 1

POINTS = 600
"""Points along a path: several per pixel up to the longest blur of a 1024 px image."""


def draw(rng: np.random.Generator) -> Parameters:
    """Draw the path: its direction, its bend, its tremor, the evenness of its speed.

    Two in five are straight (panning, ImageNet-C's lines); the others bend by up to half a turn, or
    shake as hands do (random paths of Boracchi and Foi, IEEE TIP 2012, as in DeblurGAN,
    arXiv 1711.07064). Extent at strength 1: 10 to 18 % of the shorter side. White was
    up to five times brighter than the photograph shows, so that highlights leave trails.
    """
    straight = chance(rng, 0.4)
    shaken = not straight and chance(rng, 0.5)
    return {
        "extent": uniform(rng, 0.1, 0.18),
        "angle": uniform(rng, 0.0, 180.0),
        "bend": 0.0 if straight else uniform(rng, -180.0, 180.0),
        "tremor": uniform(rng, 0.3, 1.2) if shaken else 0.0,
        "unevenness": uniform(rng, 0.0, 0.6),
        "shoulder": uniform(rng, 0.0, 0.8),
    }


def path(parameters: Parameters, seed: int) -> npt.NDArray[np.float64]:
    """Points (POINTS, 2), x and y, equally spaced in time; centroid 0, largest extent 1."""
    rng = np.random.default_rng(seed)
    time = np.linspace(-0.5, 0.5, POINTS)
    heading = np.deg2rad(parameters["angle"] + parameters["bend"] * time)
    heading += parameters["tremor"] * _wobble(rng, time) * np.pi / 2
    speed = 1 + parameters["unevenness"] * np.tanh(_wobble(rng, time))
    steps = np.stack([np.cos(heading), np.sin(heading)], axis=1) * speed[:, np.newaxis]
    points = np.cumsum(steps, axis=0)
    points -= points.mean(axis=0)
    return np.asarray(points / (2 * np.linalg.norm(points, axis=1).max()))


def _wobble(rng: np.random.Generator, time: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Smooth noise of unit size: five harmonics, the slow ones largest."""
    order = np.arange(1, 6)
    phase, size = rng.uniform(0, 2 * np.pi, 5), rng.standard_normal(5) / order
    return np.asarray(np.sin(2 * np.pi * np.outer(time, order) + phase) @ size)


def trace(points: npt.NDArray[np.float64]) -> Plane:
    """Kernel of a path in pixels about 0: float32, odd sides, sum 1, centroid in the middle."""
    radius = int(np.ceil(np.abs(points).max())) + 1
    side = 2 * radius + 1
    cell = np.floor(points).astype(np.intp)
    share = points - cell
    kernel = np.zeros(side * side)
    for dy in (0, 1):
        for dx in (0, 1):
            weight = np.abs(1 - dx - share[:, 0]) * np.abs(1 - dy - share[:, 1])
            flat = (cell[:, 1] + dy + radius) * side + cell[:, 0] + dx + radius
            kernel += np.bincount(flat, weight, minlength=side * side)
    return (kernel / len(points)).reshape(side, side).astype(np.float32)


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Transform the scene's light once; the renderer multiplies by the kernel's spectrum."""
    height, width = image.shape[:2]
    reach = parameters["extent"] * min(height, width)
    points = path(parameters, seed) * reach
    margin = int(np.ceil(reach / 2)) + 2
    shoulder = parameters["shoulder"]
    spectra = _spectra(expand(decode(image), shoulder), margin)

    def render(strength: float) -> Photo:
        kernel = transfer(trace(points * strength), spectra[0].shape)
        blurred = cv2.merge([filtered(s, kernel) for s in spectra])
        window = blurred[margin : margin + height, margin : margin + width]
        return encode(compress(np.maximum(window, 0), shoulder))

    return render


def _spectra(linear: Photo, margin: int) -> list[Plane]:
    """Spectra of the channels of an image, mirrored at its borders over at least `margin`."""
    height, width = linear.shape[:2]
    rows, columns = fast_size((height + 2 * margin, width + 2 * margin))
    below, beyond = rows - height - margin, columns - width - margin
    padded = cv2.copyMakeBorder(linear, margin, below, margin, beyond, cv2.BORDER_REFLECT_101)
    return [spectrum(np.asarray(channel, np.float32)) for channel in cv2.split(padded)]


MOTION_BLUR = Operation(
    name="motion_blur",
    label=4,
    version=VERSION,
    stage="lens",
    summary="the trace of a moving camera",
    source="I = K ∗ J in linear light (GoPro, CVPR 2017)",
    parameters={},
    draw=draw,
    prepare=prepare,
    usual=(0.1, 1.0),
)
