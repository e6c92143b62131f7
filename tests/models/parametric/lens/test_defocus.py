from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage.registration import phase_cross_correlation

from gends.models.parametric.filters.aperture import aperture
from gends.models.parametric.lens.defocus import BLADES, DEFOCUS, RADIUS
from gends.models.parametric.operation import Parameters
from gends.models.pixels import Photo


def _drawn(seed: int = 0, **given: object) -> Parameters:
    plain = {"cats_eye": 0.0, "blades": 0, "shoulder": 0.0, "kind": "uniform"}
    return {**DEFOCUS.draw(np.random.default_rng(seed)), **plain, **given}


@pytest.mark.parametrize("blades", BLADES)
def test_discs_are_centred_and_have_their_area(blades: int):
    for radius in (0.0, 0.4, 1.0, 3.3, 8.0):
        kernel = aperture(radius, blades, 17.0).astype(np.float64)
        middle = kernel.shape[0] // 2
        y, x = np.mgrid[-middle : middle + 1, -middle : middle + 1]
        assert kernel.sum() == pytest.approx(1, abs=1e-5)
        assert abs((kernel * x).sum()) < 0.02
        assert abs((kernel * y).sum()) < 0.02
        if radius > 3:
            # A flat disc of sum 1 is 1/area high.
            assert 1 / kernel.max() == pytest.approx(np.pi * radius**2, rel=0.04)


def test_light_is_kept(photo: Photo):
    # Black all around: nothing leaves the picture.
    image = cv2.copyMakeBorder(photo, 64, 64, 64, 64, cv2.BORDER_CONSTANT)
    for seed, blades in enumerate(BLADES):
        blurred = DEFOCUS.apply(image, _drawn(seed, blades=blades), 0.8, 0)
        before, after = ((i.astype(np.float64) ** 2.2).mean() for i in (image, blurred))
        assert after == pytest.approx(before, rel=1e-3)


@pytest.mark.parametrize("pixels", [4.0, 7.5, 12.0])
def test_the_first_zero_of_the_spectrum_gives_the_radius_back(pixels: float):
    noise = np.random.default_rng(0).random((512, 512), dtype=np.float32)
    image = np.repeat(noise[..., np.newaxis], 3, axis=2)
    blurred = DEFOCUS.apply(image, _drawn(), RADIUS.strength(pixels / 512), 0)
    before, after = (
        np.abs(np.fft.fft2((i[..., 0].astype(np.float64) ** 2.2) * np.hanning(512)))
        for i in (image, blurred)
    )
    frequency = np.hypot(np.fft.fftfreq(512)[:, np.newaxis], np.fft.fftfreq(512))
    bins = np.arange(0.01, 0.25, 1 / 512)
    response = [
        after[ring].mean() / before[ring].mean()
        for f in bins
        for ring in [np.abs(frequency - f) < 1 / 1024]
    ]
    # J1 has its first zero at 3.8317: f = 0.6098/r.
    falling = next(
        n for n in range(1, len(bins) - 1) if response[n] < 0.2 and response[n] < response[n + 1]
    )
    assert 0.6098 / bins[falling] == pytest.approx(pixels, rel=0.05)


def test_what_is_in_focus_does_not_bleed():
    red = np.array([0.9, 0.05, 0.05], np.float32)
    image = np.full((192, 192, 3), (0.05, 0.05, 0.8), np.float32)
    depth = np.ones((192, 192), np.float32)
    image[:, :96], depth[:, :96] = red, 0.0
    out = DEFOCUS.apply(image, _drawn(kind="depth", focus=0.0), 1.0, 0, depth)
    np.testing.assert_allclose(out, image, atol=1 / 255)


def test_what_lies_before_the_focus_has_soft_edges():
    image = np.full((192, 192, 3), (0.05, 0.05, 0.8), np.float32)
    depth = np.ones((192, 192), np.float32)
    image[:, :96], depth[:, :96] = (0.9, 0.05, 0.05), 0.0
    out = DEFOCUS.apply(image, _drawn(kind="depth", focus=1.0), 1.0, 0, depth)
    profile = out[96, :, 0].astype(np.float64) ** 2.2
    radius = RADIUS.full * 192
    assert profile[95:97].mean() == pytest.approx(image[0, 0, 0] ** 2.2 / 2, rel=0.1)
    assert np.flatnonzero(profile > 0.005).max() == pytest.approx(95.5 + radius, abs=1.5)
    assert np.diff(profile).max() < 1e-4


def test_blur_grows_away_from_the_focal_plane(photo: Photo):
    image = cv2.resize(photo, (256, 256))
    texture = np.random.default_rng(0).random((256, 256, 3), dtype=np.float32)
    image = 0.5 * image + 0.5 * texture
    depth = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (256, 1))
    out = DEFOCUS.apply(image, _drawn(kind="depth", focus=0.0, range=3.0), 0.8, 0, depth)
    detail = np.abs(cv2.Laplacian(out, cv2.CV_32F)).mean(axis=(0, 2))
    parts = [part.mean() for part in np.array_split(detail, 6)]
    assert parts == sorted(parts, reverse=True)


def test_highlights_become_discs():
    dark = np.full((129, 129, 3), 0.1, np.float32)
    dark[64, 64] = 1
    plain, bright = (DEFOCUS.apply(dark, _drawn(shoulder=k), 0.8, 0) for k in (0.0, 0.9))
    assert bright[64, 65, 0] > plain[64, 65, 0] + 0.1
    # A flat disc, not a peak.
    assert bright[64, 63, 0] == pytest.approx(bright[64, 64, 0], abs=0.01)


@pytest.mark.parametrize("kind", ["uniform", "depth"])
def test_the_pair_stays_aligned(kind: str, photo: Photo):
    image = cv2.resize(photo, (256, 256))
    window = np.outer(np.hanning(256), np.hanning(256))
    for seed, blades in enumerate(BLADES):
        parameters = _drawn(seed, kind=kind, blades=blades, cats_eye=0.5)
        blurred = DEFOCUS.apply(image, parameters, 0.6, seed)
        first, second = ((i**2.2)[..., 1] * window for i in (image, blurred))
        shift, _, _ = phase_cross_correlation(first, second, upsample_factor=50, normalization=None)
        assert np.abs(shift).max() <= 0.1


def test_discs_are_those_of_imagenet_c():
    corruptions = pytest.importorskip("imagecorruptions.corruptions")
    for radius in (4, 6, 8, 10):
        theirs = corruptions.disk(radius=radius, alias_blur=0.1)
        ours = aperture(radius)
        size = max(theirs.shape[0], ours.shape[0])
        kernels = [
            np.pad(k, (size - k.shape[0]) // 2) / k.sum() for k in (theirs.astype(np.float32), ours)
        ]
        first, second = (np.abs(np.fft.fft2(k, (256, 256))) for k in kernels)
        assert np.abs(first - second).max() < 0.1
