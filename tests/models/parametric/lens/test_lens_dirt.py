from __future__ import annotations

import numpy as np
import pytest

from gends.models.parametric.filters.tone import decode
from gends.models.parametric.lens.lens_dirt import LENS_DIRT
from gends.models.pixels import Photo

NONE = {
    **LENS_DIRT.draw(np.random.default_rng(0)),
    "dust": 0,
    "fibres": 0,
    "spatter": 0,
    "smudge": 0.0,
    "scratches": 0,
}


def _fits(parameters: dict, strength: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Slope and intercept, pixel by pixel, of degraded on clean linear light.

    Over pictures that are one picture with its pixels shuffled: their mean light is the same.
    """
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0.1, 0.9, (160 * 200, 3)).astype(np.float32)
    scenes = [rng.permutation(pixels).reshape(160, 200, 3) for _ in range(12)]
    clean = np.stack([decode(s)[..., 1] for s in scenes]).astype(float)
    dirty = np.stack(
        [decode(LENS_DIRT.apply(s, parameters, strength, seed))[..., 1] for s in scenes]
    )
    x, y = clean - clean.mean(axis=0), dirty - dirty.mean(axis=0)
    slope = (x * y).sum(axis=0) / (x * x).sum(axis=0)
    return slope, dirty.mean(axis=0) - slope * clean.mean(axis=0)


@pytest.mark.parametrize("density", [0.4, 0.9])
@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_transmission_of_dust_is_recovered_by_regression(density: float, strength: float):
    parameters = {**NONE, "dust": 30, "dust_size": 0.05, "dust_density": density, "defocus": 0.004}
    slope, light = _fits({**parameters, "scatter": 0.0}, strength, 3)
    assert slope.min() == pytest.approx(1 - strength * density, abs=0.02)
    assert np.median(slope) == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(light, 0, atol=2e-3)


def test_colour_of_mud_is_recovered_by_regression():
    parameters = {**NONE, "spatter": 60, "spatter_colour": [0.3, 0.2, 0.1], "spatter_density": 0.9}
    slope, light = _fits(parameters, 1.0, 1)
    muddy = slope < 0.7
    assert muddy.any()
    pixels = np.random.default_rng(0).uniform(0.1, 0.9, (160 * 200, 3)).astype(np.float32)
    mean = decode(pixels.reshape(160, 200, 3))[..., 1].mean()
    np.testing.assert_allclose(light[muddy] / (1 - slope[muddy]), 0.2 * mean, rtol=0.03)


@pytest.mark.parametrize(
    "kind", [{"dust": 40}, {"fibres": 6}, {"spatter": 30}, {"smudge": 0.9}, {"scratches": 8}]
)
def test_each_kind_acts_alone_and_leaves_clean_glass_clear(kind: dict, photo: Photo):
    clean = LENS_DIRT.apply(photo, NONE, 1.0, 5)
    np.testing.assert_array_equal(clean, photo)
    dirty = LENS_DIRT.apply(photo, {**NONE, **kind}, 1.0, 5)
    changed = (dirty != photo).any(axis=2)
    assert 0.005 < changed.mean() < 0.95


def test_more_specks_cover_more(photo: Photo):
    changed = [
        np.abs(LENS_DIRT.apply(photo, {**NONE, "dust": n}, 1.0, 2) - photo).mean()
        for n in (10, 60, 300)
    ]
    assert changed[0] < changed[1] < changed[2]
