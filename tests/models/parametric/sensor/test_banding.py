from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gends.models.parametric.sensor.banding import BANDING
from gends.models.pixels import Photo

NOTHING: dict[str, Any] = {
    "direction": "rows",
    "line_sigma": 0.0,
    "channels": "gray",
    "hum": 0.0,
    "hum_cycles": 10.0,
    "pulse": 0.0,
    "pulse_cycles": 5.0,
    "pulse_steepness": 1.0,
    "hot_share": 0.0,
    "fixed_sigma": 0.0,
    "sensor": 1,
}
FLAT = np.full((240, 320, 3), 0.4, np.float32)


def _slope(level: float) -> float:
    """Of the power law 1/2.2, by differences, at a display level."""
    linear = level**2.2
    return float(((linear + 1e-6) ** (1 / 2.2) - (linear - 1e-6) ** (1 / 2.2)) / 2e-6)


@pytest.mark.parametrize("cycles", [4, 17, 60])
@pytest.mark.parametrize(("name", "amount"), [("hum", 8.0), ("pulse", 0.3)])
def test_the_spectrum_of_the_line_means_has_its_peak_at_the_frequency(
    photo: Photo, name: str, amount: float, cycles: int
):
    for axis, direction in enumerate(("rows", "columns")):
        asked = {name: amount, f"{name}_cycles": float(cycles), "direction": direction}
        change = BANDING.apply(FLAT, {**NOTHING, **asked}, 1.0, 4) - FLAT
        means = change.mean(axis=(1 - axis, 2))
        spectrum = np.abs(np.fft.rfft(means - means.mean()))
        assert spectrum.argmax() == cycles
        across = change.std(axis=1 - axis).max()
        assert across < 1e-6


def test_the_deviation_of_row_means_is_the_lines_sigma():
    tall = np.full((4000, 64, 3), 0.4, np.float32)
    change = BANDING.apply(tall, {**NOTHING, "line_sigma": 4.0}, 0.5, 4) - tall
    expected = 0.5 * 4 * _slope(0.4)
    assert change.mean(axis=(1, 2)).std() * 255 == pytest.approx(expected, rel=0.1)


def test_offsets_show_in_the_shadows():
    changes = [
        np.abs(BANDING.apply(np.full_like(FLAT, level), asked, 0.5, 4) - level).mean()
        for asked in [{**NOTHING, "line_sigma": 4.0}]
        for level in (0.15, 0.4, 0.9)
    ]
    assert changes[0] > 1.5 * changes[1] > 2 * changes[2]


def test_pulsed_light_changes_linear_light_by_its_depth():
    dark = np.full((480, 64, 3), 0.1, np.float32)
    lit = BANDING.apply(dark, {**NOTHING, "pulse": 0.4}, 1.0, 4)
    ratio = (lit.astype(np.float64) / 0.1) ** 2.2
    assert ratio.max() == pytest.approx(1.4, abs=0.02)
    assert ratio.min() == pytest.approx(0.6, abs=0.02)


def test_as_many_pixels_are_hot_as_asked():
    change = BANDING.apply(FLAT, {**NOTHING, "hot_share": 1e-3}, 1.0, 4) - FLAT
    changed = (change > 1e-4).any(axis=2)
    centres = changed.sum() / 9
    assert centres == pytest.approx(1e-3 * FLAT[..., 0].size, rel=0.1)


def test_pictures_of_one_sensor_share_its_pattern():
    noise = [
        (BANDING.apply(FLAT, {**NOTHING, "fixed_sigma": 4.0, "sensor": n}, 1.0, seed) - FLAT)
        for n, seed in ((1, 1), (1, 2), (2, 1))
    ]
    np.testing.assert_array_equal(noise[0], noise[1])
    assert abs(np.corrcoef(noise[0].ravel(), noise[2].ravel())[0, 1]) < 0.02
