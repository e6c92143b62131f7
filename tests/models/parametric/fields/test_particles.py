from __future__ import annotations

import numpy as np
import pytest

from gends.models.parametric.fields.particles import (
    STEPS,
    Bodies,
    clear_share,
    distances,
    optical_depth,
)

BODY = {
    "x": 40.3,
    "y": 41.7,
    "angle": 0.0,
    "path": 0.0,
    "radius": 9.0,
    "softness": 2.0,
    "opacity": 0.9,
    "taper": 0.0,
    "lobes": 0.0,
    "rank": 0.0,
}


def _body(**changes: float) -> Bodies:
    return Bodies(**{n: np.array([v], np.float32) for n, v in {**BODY, **changes}.items()})


def _covered(bodies: Bodies) -> np.ndarray:
    return 1 - clear_share(optical_depth((80, 90), bodies), 1.0)


@pytest.mark.parametrize("radius", [3.0, 9.0])
def test_a_body_at_rest_covers_the_area_of_its_disc(radius: float):
    covered = _covered(_body(radius=radius))
    assert covered.sum() == pytest.approx(0.9 * np.pi * radius**2, rel=0.03)
    row, column = np.indices(covered.shape)
    assert np.average(column, weights=covered) == pytest.approx(40.3, abs=0.05)
    assert np.average(row, weights=covered) == pytest.approx(41.7, abs=0.05)


@pytest.mark.parametrize("angle", [-75.0, -30.0, 0.0, 20.0, 50.0, 90.0])
def test_a_moving_body_covers_a_capsule_along_its_path(angle: float):
    covered = _covered(_body(radius=3.0, softness=1.0, path=40.0, angle=angle))
    assert covered.sum() == pytest.approx(0.9 * (np.pi * 9 + 6 * 40), rel=0.03)
    y, x = np.nonzero(covered > 0.3)
    direction = np.linalg.svd(np.stack([x - x.mean(), y - y.mean()], axis=1))[2][0]
    measured = np.rad2deg(np.arctan2(-direction[0], direction[1]))
    assert (measured - angle + 90) % 180 - 90 == pytest.approx(0, abs=1.0)


def test_bodies_cover_one_another_as_screens_do():
    two = _covered(_body(opacity=0.6) + _body(opacity=0.5))
    assert two.max() == pytest.approx(1 - 0.4 * 0.5, abs=1e-4)


def test_what_leaves_at_a_border_enters_at_the_other():
    inside, across = _covered(_body()), _covered(_body(x=89.3, y=1.7))
    np.testing.assert_allclose(np.roll(inside, (-40, 49), (0, 1)), across, atol=1e-5)


def test_bodies_appear_in_the_order_of_their_ranks():
    late = optical_depth((80, 90), _body(rank=0.99))
    assert clear_share(late, 1 - 1 / STEPS).min() == 1
    assert clear_share(late, 1.0).min() < 0.2


def test_distances_fill_the_cone_of_sight():
    """Of an evenly filled cone, the part within distance d holds d³ of all."""
    drawn = distances(np.random.default_rng(0), 100_000, 0.0, 2.0, 2.0)
    assert (drawn < 1).mean() == pytest.approx(1 / 8, abs=0.005)
