from __future__ import annotations

import numpy as np
import pytest

from gends.models.parametric.filters.tone import decode, encode
from gends.models.parametric.scene.reflection import REFLECTION, mirrored
from gends.models.pixels import Photo

PLAIN = {
    **REFLECTION.draw(np.random.default_rng(0)),
    "content": "interior",
    "absorption": 0.0,
    "blur": 0.0,
    "ghost_shift": 0.0,
    "vignette": 0.0,
    "brightness": 0.2,
}


def _reflection(parameters: dict, seed: int, side: int = 256) -> np.ndarray:
    """Linear light that a pane adds to an even grey scene."""
    grey = encode(np.full((side, side, 3), 0.2, np.float32))
    return decode(REFLECTION.apply(grey, parameters, 1.0, seed)) - decode(grey)


@pytest.mark.parametrize(("shift", "angle"), [(0.05, 0.0), (0.08, 90.0), (0.06, 140.0)])
def test_the_shift_of_the_second_image_comes_back_from_the_cepstrum(shift: float, angle: float):
    # Doubling multiplies the spectrum by 1 + a·exp(−iωd): the logarithm has a wave of period 1/d.
    total = np.zeros((256, 256))
    window = np.outer(np.hanning(256), np.hanning(256))
    doubled = {**PLAIN, "ghost_shift": shift, "ghost_angle": angle, "ghost_share": 0.45}
    for seed in range(8):
        for sign, parameters in ((1, doubled), (-1, PLAIN)):
            layer = _reflection(parameters, seed)[..., 1] * window
            total += sign * np.fft.ifft2(np.log(np.abs(np.fft.fft2(layer)) + 1e-3)).real
    total = np.fft.fftshift(total)
    total[120:137, 120:137] = -1
    total[:, :128] = -1 if np.cos(np.deg2rad(angle)) > 0.1 else total[:, :128]
    row, column = np.unravel_index(total.argmax(), total.shape)
    found = np.array([column - 128, 128 - row])
    asked = shift * 256 * np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))])
    assert min(np.linalg.norm(found - asked), np.linalg.norm(found + asked)) < 1.6


def test_the_pane_keeps_the_asked_share_of_the_light(photo: Photo):
    dimmed = {**PLAIN, "absorption": 0.3, "brightness": 0.0}
    behind = decode(REFLECTION.apply(photo, dimmed, 1.0, 0))
    slope = np.polyfit(decode(photo).ravel(), behind.ravel(), 1)[0]
    assert slope == pytest.approx(0.7, abs=1e-3)


@pytest.mark.parametrize("content", ["mirrored", "interior"])
def test_the_reflection_clips_far_less_than_plain_addition(content: str, photo: Photo):
    bright = np.sqrt(photo)
    clipped, plain = 0.0, 0.0
    for seed in range(6):
        parameters = {**PLAIN, "content": content, "brightness": 0.9}
        out = REFLECTION.apply(bright, parameters, 1.0, seed)
        layer = mirrored(decode(bright), parameters, np.random.default_rng(seed))
        clipped += ((out >= 1) & (bright < 0.97)).mean()
        plain += ((decode(bright) + layer >= 1) & (bright < 0.97)).mean()
    assert plain > 0.05
    assert clipped < 0.6 * plain


def test_it_is_stronger_on_the_asked_side():
    strong, weak = [], []
    for seed in range(6):
        layer = _reflection({**PLAIN, "vignette": 1.0, "side": 180.0}, seed)
        even = _reflection(PLAIN, seed)
        strong.append(layer[:, :20].sum() / even[:, :20].sum())
        weak.append(layer[:, -20:].sum() / even[:, -20:].sum())
    assert min(strong) > 0.95
    assert max(weak) < 0.05


def test_blur_takes_away_the_detail_of_the_reflection_alone(photo: Photo):
    def detail(picture: np.ndarray) -> float:
        return float(np.abs(np.diff(picture, axis=1)).mean())

    sharp = [detail(_reflection({**PLAIN, "blur": b}, 1)) for b in (0.0, 0.01, 0.03)]
    assert sharp[0] > sharp[1] > sharp[2]
