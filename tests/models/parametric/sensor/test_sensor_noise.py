from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from gends.models.parametric.sensor.camera import Camera
from gends.models.parametric.sensor.sensor_noise import SENSOR_NOISE, SHOT_SIGMA
from gends.models.pixels import Photo

PARAMETERS = {
    "shoulder": 0.0,
    "matrices": [0.2, 0.9, 0.1, 0.4],
    "gain": 1.25,
    "red_gain": 2.1,
    "blue_gain": 1.7,
    "demosaic": "bilinear",
    "luma_smoothing": 0.0,
    "chroma_smoothing": 0.0,
    "read_offset": 0.0,
}
GAINS = np.array([1.25 * 2.1, 1.25, 1.25 * 1.7])


def _raw(display: Photo) -> npt.NDArray[np.float64]:
    """Back to the raw by a table of the tone curve, the power law, the matrix and the gains."""
    x = np.linspace(0, 1, 1_000_001)
    linear = np.interp(display.astype(np.float64), 3 * x**2 - 2 * x**3, x) ** 2.2
    return linear @ Camera.of(PARAMETERS).to_raw.T.astype(np.float64) / GAINS


def _steps(levels: list[float], side: int = 160) -> Photo:
    row = np.repeat(np.array(levels, np.float32), side)
    return np.repeat(np.tile(row, (side, 1))[..., np.newaxis], 3, axis=2)


@pytest.mark.parametrize("shot", [4e-4, 1e-3])
def test_variance_against_intensity_in_the_raw_gives_back_shot_and_read(shot: float):
    clean = _steps([0.25, 0.35, 0.45, 0.55, 0.65, 0.75])
    parameters = {**PARAMETERS, "read_offset": 2.5}
    read = np.exp(2.18 * np.log(shot) + 1.20 + 2.5)
    noisy = SENSOR_NOISE.apply(clean, parameters, SHOT_SIGMA.strength(shot**0.5), 1)
    raw = _raw(noisy)
    intensity, variance = [], []
    # Only where the sensor had that colour: demosaicing leaves these values as they were.
    for colour, top, left in ((0, 0, 0), (1, 0, 1), (1, 1, 0), (2, 1, 1)):
        own = raw[top::2, left::2, colour].reshape(80, 6, 80)
        intensity += list(own.mean(axis=(0, 2)))
        variance += list(own.var(axis=(0, 2)))
    slope, offset = np.polyfit(intensity, variance, 1, w=1 / np.array(variance))
    assert slope == pytest.approx(shot, rel=0.05)
    assert offset == pytest.approx(read, rel=0.15)


def test_the_pair_differs_by_noise_only(photo: Photo):
    middle = 0.2 + 0.5 * photo
    renders = [SENSOR_NOISE.apply(middle, PARAMETERS, 0.1, seed) for seed in range(40)]
    bias = np.mean(renders, axis=0) - middle
    assert np.abs(bias.mean(axis=(0, 1))).max() < 1 / 255
    spread = np.std(renders, axis=0) / np.sqrt(40)
    assert (np.abs(bias) < 4.5 * spread).mean() > 0.99


def test_what_was_white_has_no_noise():
    white = np.ones((64, 64, 3), np.float32)
    np.testing.assert_array_equal(SENSOR_NOISE.apply(white, PARAMETERS, 0.2, 1), white)


def test_a_shoulder_takes_noise_from_highlights():
    """PolyU's photographs have 0.4 times as much noise at level 207 as at level 90."""
    shares = []
    for shoulder in (0.0, 0.8):
        parameters = {**PARAMETERS, "shoulder": shoulder}
        dark, bright = (
            (SENSOR_NOISE.apply(flat, parameters, 0.1, 2) - flat).std()
            for flat in (np.full((200, 200, 3), level / 255, np.float32) for level in (90, 207))
        )
        shares.append(bright / dark)
    assert shares[0] > 0.65
    assert 0.3 < shares[1] < 0.55


def _correlations(parameters: dict[str, object]) -> tuple[float, float]:
    """Between neighbours, and the least one between channels."""
    flat = np.full((256, 256, 3), 0.5, np.float32)
    noise = SENSOR_NOISE.apply(flat, parameters, 0.1, 3) - flat
    green = noise[..., 1]
    near = float(np.corrcoef(green[:, 1:].ravel(), green[:, :-1].ravel())[0, 1])
    return near, float(np.corrcoef(noise.reshape(-1, 3).T).min())


def test_demosaicing_correlates_neighbours_and_smoothing_the_channels():
    near, between = _correlations(PARAMETERS)
    assert near > 0.25
    assert between < 0.2
    smooth = {**PARAMETERS, "luma_smoothing": 0.6, "chroma_smoothing": 3.0}
    near, between = _correlations(smooth)
    # PolyU's photographs: 0.5 to 0.7 between neighbours, 0.5 to 0.9 between channels.
    assert 0.45 < near < 0.8
    assert 0.4 < between < 0.95
