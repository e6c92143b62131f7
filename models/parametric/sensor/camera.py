"""A camera that counts light behind a colour filter array: unprocessing and its reverse.

After Brooks et al., "Unprocessing images for learned raw denoising" (CVPR 2019): linear light goes
back through the colour matrix and the white balance to the raw, noise of variance shot·x + read is
added on the mosaic, and the way forth makes it signal-dependent, coloured and correlated between
neighbours. Demosaicing is linear here, and acts on the noise alone: the picture keeps its detail.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from gends.models.parametric.draw import chance, uniform
from gends.models.parametric.operation import Parameters
from gends.models.parametric.parameter import Parameter
from gends.models.parametric.sensor.demosaic import FILTERS, demosaic, mosaic
from gends.models.pixels import Photo, Plane

Matrix = npt.NDArray[np.float32]

XYZ_TO_CAMERA = np.array(
    [
        [[1.0234, -0.2969, -0.2266], [-0.5625, 1.6328, -0.0469], [-0.0703, 0.2188, 0.6406]],
        [[0.4913, -0.0541, -0.0202], [-0.6130, 1.3513, 0.2906], [-0.1564, 0.2151, 0.7183]],
        [[0.8380, -0.2630, -0.0639], [-0.2887, 1.0725, 0.2496], [-0.0627, 0.1427, 0.5438]],
        [[0.6596, -0.2079, -0.0562], [-0.4782, 1.3016, 0.1933], [-0.0970, 0.1581, 0.5181]],
    ]
)
"""Colour matrices of the four cameras of the Darmstadt noise dataset, as Brooks et al. give."""

RGB_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
"""Linear sRGB to XYZ, D65 (IEC 61966-2-1)."""

BLACK = 1 / 16
"""Black level: so far below zero the converter still resolves, as a share of white."""

PARAMETERS: dict[str, Parameter] = {
    "matrices": Parameter(
        meaning="weights of the colour matrices of four cameras", low=0.01, size=4
    ),
    "gain": Parameter(meaning="gain of all channels after the raw", low=0.5, high=4.0),
    "red_gain": Parameter(meaning="white balance: gain of red over green", low=1.0, high=4.0),
    "blue_gain": Parameter(meaning="white balance: gain of blue over green", low=1.0, high=4.0),
    "demosaic": Parameter(meaning="filters of demosaicing", choices=tuple(FILTERS)),
    "luma_smoothing": Parameter(
        meaning="deviation of the Gaussian with which the camera smooths the noise's luma",
        high=4.0,
        unit="px",
    ),
    "chroma_smoothing": Parameter(meaning="the same of its colours", high=8.0, unit="px"),
    "read_offset": Parameter(
        meaning="how far ln(read variance) lies from 2.18·ln(shot variance) + 1.20",
        low=-3.0,
        high=3.0,
    ),
}


def draw(rng: np.random.Generator) -> Parameters:
    """Brooks et al.'s ranges, section 3: gains, matrices, and the spread of read noise.

    Three of four cameras smooth noise as those of PolyU (arXiv 1804.02603) do, whose JPEGs have
    correlations of 0.5 to 0.7 between neighbours and of 0.5 to 0.9 between channels.
    """
    smooths = chance(rng, 0.75)
    return {
        "matrices": [uniform(rng, 0.01, 1.0) for _ in range(4)],
        "gain": round(1 / float(np.clip(rng.normal(0.8, 0.1), 0.5, 1.1)), 4),
        "red_gain": uniform(rng, 1.9, 2.4),
        "blue_gain": uniform(rng, 1.5, 1.9),
        "demosaic": str(rng.choice(list(FILTERS))),
        "luma_smoothing": uniform(rng, 0.35, 0.75) if smooths else 0.0,
        "chroma_smoothing": uniform(rng, 1.5, 3.5) if smooths else 0.0,
        "read_offset": round(float(np.clip(rng.normal(0, 0.26), -1, 1)), 4),
    }


def read_variance(shot: float, offset: float) -> float:
    """Variance of read noise that goes with that of shot noise (Brooks et al., equation 4)."""
    return float(np.exp(2.18 * np.log(shot) + 1.20 + offset)) if shot > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Camera:
    """Colour matrix, white balance and demosaicing; between linear sRGB light and the raw."""

    to_raw: Matrix
    to_rgb: Matrix
    gains: Matrix
    method: str
    smoothing: tuple[float, float]
    """Of luma and of chroma, in pixels."""

    @classmethod
    def of(cls, parameters: Parameters) -> Camera:
        """Make the camera of drawn parameters."""
        weights = np.array(parameters["matrices"]) / sum(parameters["matrices"])
        to_raw = np.tensordot(weights, XYZ_TO_CAMERA, 1) @ RGB_TO_XYZ
        to_raw /= to_raw.sum(axis=1, keepdims=True)
        balance = np.array([parameters["red_gain"], 1, parameters["blue_gain"]])
        return cls(
            to_raw.astype(np.float32),
            np.linalg.inv(to_raw).astype(np.float32),
            (parameters["gain"] * balance).astype(np.float32),
            parameters["demosaic"],
            (parameters["luma_smoothing"], parameters["chroma_smoothing"]),
        )

    def unprocess(self, linear: Photo) -> Photo:
        """Raw, [0, 1], of linear light: white stays white, where the sensor was full."""
        seen = np.maximum(cv2.transform(linear, self.to_raw), 0)
        gray = seen.mean(axis=2, keepdims=True)
        full = np.square(np.clip((gray - np.float32(0.9)) * 10, 0, 1))
        inverse = 1 / self.gains
        return np.asarray(np.minimum(seen * np.maximum(full + (1 - full) * inverse, inverse), 1))

    def process(self, raw: Photo) -> Photo:
        """Linear light, clipped to [0, 1], of the raw."""
        # Clipped before the matrix too: else white, full in all channels, turns magenta.
        balanced = np.minimum(raw * self.gains, 1)
        return np.asarray(np.clip(cv2.transform(balanced, self.to_rgb), 0, 1))

    def noise(
        self,
        linear: Photo,
        unit: Plane,
        shot: float,
        read: float,
        *,
        bits: int | None = None,
        offsets: Plane | float = 0.0,
    ) -> Photo:
        """What noise changes in linear light: `unit`, (H, W), has unit variance on the mosaic.

        `offsets` are added to the raw, as those of rows; without `bits` nothing is quantised.
        """
        raw = self.unprocess(linear)
        counted = mosaic(raw)
        noisy = counted + unit * np.sqrt(np.float32(shot) * counted + np.float32(read))
        off = demosaic(_converted(noisy + offsets, bits) - counted, self.method)
        return _smoothed(self.process(raw + off) - self.process(raw), *self.smoothing)


def _converted(plane: Plane, bits: int | None) -> Plane:
    """Clipped between the black level and white; quantised to whole numbers of so many bits."""
    clipped = np.clip(plane, -BLACK, 1)
    if bits is None:
        return np.asarray(clipped)
    levels = np.float32((2**bits - 1) / (1 + BLACK))
    return np.asarray(np.rint(clipped * levels) / levels)


def _smoothed(noise: Photo, luma: float, chroma: float) -> Photo:
    if not luma and not chroma:
        return noise
    bright = np.asarray(cv2.cvtColor(noise, cv2.COLOR_RGB2GRAY), np.float32)[..., np.newaxis]
    return _blurred(bright, luma).reshape(bright.shape) + _blurred(noise - bright, chroma)


def _blurred(noise: Photo, deviation: float) -> Photo:
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), deviation)) if deviation else noise
