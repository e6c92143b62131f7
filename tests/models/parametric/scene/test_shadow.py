from __future__ import annotations

import numpy as np
import pytest

from gends.models.parametric.fields.silhouette import MATTES
from gends.models.parametric.scene.shadow import SHADOW
from gends.models.pixels import Photo

PARAMETERS = {
    "kind": "building",
    "direction": 30.0,
    "size": 1.0,
    "penumbra": 0.01,
    "x_intercept": 0.1,
    "blueness": 0.05,
}


def _umbra(kind: str = "building", **changes: float) -> np.ndarray:
    """Where a white picture is as dark as it gets."""
    white = np.ones((128, 128, 3), np.float32)
    seen = SHADOW.apply(white, {**PARAMETERS, "kind": kind, **changes}, 1.0, 3)[..., 2]
    return seen < seen.min() + 1e-4


def test_regression_in_the_umbra_gives_back_slope_and_intercepts(photo: Photo):
    dark = SHADOW.apply(photo, PARAMETERS, SHADOW.scale.strength(0.4), 3)
    inside = _umbra()
    assert 0.1 < inside.mean() < 0.9
    for channel, zero in enumerate((0.15, 0.13, 0.1)):
        x, y = photo[..., channel][inside], dark[..., channel][inside]
        lit = y > 0.01
        slope, intercept = np.polyfit(x[lit], y[lit], 1)
        assert slope == pytest.approx(0.4, abs=1e-3)
        assert -intercept / slope == pytest.approx(0.6 * zero, abs=1e-3)


@pytest.mark.parametrize("kind", MATTES)
def test_outside_nothing_changes(photo: Photo, kind: str):
    dark = SHADOW.apply(photo, {**PARAMETERS, "kind": kind}, 0.8, 3)
    same = (dark == photo).all(axis=2)
    assert 0.05 < same.mean() < 0.98
    assert (dark <= photo + 1e-6).all()


def test_the_umbra_of_gray_is_bluish():
    gray = np.full((128, 128, 3), 0.6, np.float32)
    red, green, blue = SHADOW.apply(gray, PARAMETERS, 0.6, 3)[_umbra()].mean(axis=0)
    assert red < green < blue


def test_the_far_edge_is_softer_than_the_near_one():
    """Width of the edge of a body that falls to the right: feet left, head right."""
    white = np.ones((256, 256, 3), np.float32)
    changes = {"kind": "body", "direction": 0.0, "penumbra": 0.03}
    seen = SHADOW.apply(white, {**PARAMETERS, **changes}, 1.0, 3)[..., 2]
    steepest = np.abs(np.diff(seen, axis=0)).max(axis=0)
    used = np.flatnonzero(seen.min(axis=0) < 0.5)
    assert steepest[used[5:40]].max() > 1.5 * steepest[used[-20:]].max()
