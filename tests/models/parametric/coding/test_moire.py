from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage.registration import phase_cross_correlation

from gends.models.parametric.coding import moire
from gends.models.parametric.coding.moire import MOIRE, Camera
from gends.models.parametric.operation import Parameters
from gends.models.pixels import Photo

FACING = {"rotation": 0.0, "tilt": [0.0, 0.0], "distortion": 0.0, "exposure": 0.8}


def _drawn(seed: int = 0, **given: object) -> Parameters:
    return {**MOIRE.draw(np.random.default_rng(seed)), **given}


def test_the_pair_stays_aligned(photos: list[np.ndarray]):
    window = np.outer(np.hanning(256), np.hanning(256))
    for seed in range(9):
        image = cv2.resize(photos[seed % 3], (256, 256)).astype(np.float32) / np.float32(255)
        shot = MOIRE.apply(image, _drawn(seed), 1.0, seed)
        for part in (np.s_[:], np.s_[:128, :128], np.s_[128:, 128:]):
            first, second = (
                cv2.GaussianBlur(i**2.2, (0, 0), 2)[..., 1][part] for i in (image, shot)
            )
            inside = window if first.shape[0] == 256 else cv2.resize(window, (128, 128))
            shift, _, _ = phase_cross_correlation(
                (first - first.mean()) * inside,
                (second - second.mean()) * inside,
                upsample_factor=50,
                normalization=None,
            )
            assert np.abs(shift).max() <= 0.1


def test_the_camera_finds_its_way_back():
    for seed in range(20):
        p = _drawn(seed, rotation=8.0)
        camera = Camera(200 + 150j, np.exp(0.14j) / p["pitch"], 250.0, (0.1, -0.1), 0.03)
        points = np.random.default_rng(seed).uniform(0, 400, (50, 2)) @ [1, 0.75j]
        np.testing.assert_allclose(camera.screen(camera.sensor(points)), points, atol=5e-3)


def test_bands_have_the_period_that_two_gratings_give():
    pitch = 1.9
    image = np.full((384, 384, 3), 0.5, np.float32)
    shot = MOIRE.apply(image, _drawn(**FACING, pitch=pitch, blur=0.3, gap=0.0), 1.0, 0)
    profile = shot[192 - 64 : 192 + 64, :, 0].mean(axis=0)
    power = np.abs(np.fft.rfft((profile - profile.mean()) * np.hanning(384)))
    # Red is sampled at every second sensor pixel: 1/2 per sensor pixel against 1/pitch.
    expected = pitch * abs(1 / pitch - 1 / 2)
    assert power[1:].argmax() + 1 == pytest.approx(expected * 384, abs=1.5)


def test_stripes_of_red_and_blue_stand_beside_each_other():
    image = np.full((384, 384, 3), 0.5, np.float32)
    shot = MOIRE.apply(image, _drawn(**FACING, pitch=1.9, blur=0.3, gap=0.0), 1.0, 0)
    profiles = shot[128:256].mean(axis=0).T
    red, _, blue = np.fft.rfft((profiles - profiles.mean(axis=1)[:, np.newaxis]) * np.hanning(384))
    band = np.abs(red)[1:].argmax() + 1
    # Half a turn from sampling every other pixel, less two thirds of one between the stripes.
    assert np.angle(blue[band] / red[band]) == pytest.approx(np.pi - 4 * np.pi / 3, abs=0.1)


def test_bands_are_coloured():
    image = np.full((256, 256, 3), 0.6, np.float32)
    for seed in range(6):
        shot = MOIRE.apply(image, _drawn(seed), 1.0, seed)
        chroma = shot[..., 0] - shot[..., 1]
        assert chroma.std() > 0.01


def test_stripes_are_those_of_a_screen_drawn_in_full():
    """Against the screen drawn with 48 points to a pixel and averaged over each sensor pixel."""
    fine, pitch, blur, gap = 48, 2.0, 0.4, 0.25
    place = (np.arange(40 * fine) + 0.5) / fine - 0.5
    width = (1 - gap) / 3
    bars = (np.abs(place - np.rint(place)) < width / 2).astype(np.float64) / width
    pixel = round(fine / pitch)
    averaged = np.convolve(bars, np.full(pixel, 1 / pixel), "same")
    sigma = blur * fine / pitch
    blurred = cv2.GaussianBlur(averaged[np.newaxis], (0, 0), sigma)[0]
    ours = moire._grating(place.astype(np.float32), width, {"pitch": pitch, "blur": blur})
    np.testing.assert_allclose(ours[400:-400], blurred[400:-400], atol=0.04)


def test_tiles_do_not_show(photo: Photo, monkeypatch: pytest.MonkeyPatch):
    whole = MOIRE.apply(photo, _drawn(3), 1.0, 0)
    monkeypatch.setattr(moire, "TILE", 50)
    np.testing.assert_allclose(MOIRE.apply(photo, _drawn(3), 1.0, 0), whole, atol=2e-3)


def test_the_mean_is_that_of_the_exposure():
    image = np.full((256, 256, 3), 0.5, np.float32)
    shot = MOIRE.apply(image, _drawn(1, exposure=0.8), 1.0, 0)
    assert (shot**2.2).mean() == pytest.approx(0.8 * 0.5**2.2, rel=0.02)
