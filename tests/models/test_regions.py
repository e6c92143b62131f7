"""Maps of regions, whatever their count, shape, borders and size."""

from __future__ import annotations

import dataclasses
import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gends.models.regions import SHAPES, RegionMap

MAPS = st.builds(
    RegionMap,
    count=st.integers(1, 16),
    shape=st.sampled_from(SHAPES),
    feather=st.sampled_from([0.0, 1.0, 4.5, 8.0, 32.0]),
    seed=st.integers(0, 2**63),
)
SIZES = st.tuples(st.integers(16, 120), st.integers(16, 200))


@given(regions=MAPS, size=SIZES)
def test_weights_sum_to_one_and_none_is_negative(regions: RegionMap, size):
    weights = regions.weights(size)
    assert weights.shape == (regions.count, *size)
    assert weights.dtype == np.float32
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=0), 1, atol=1e-6)


@given(regions=MAPS, size=SIZES)
def test_every_region_owns_a_part(regions: RegionMap, size):
    owners = regions.owners(size)
    assert owners.shape == size
    assert owners.dtype == np.uint8
    shares = np.bincount(owners.ravel(), minlength=regions.count) / owners.size
    assert len(shares) == regions.count
    assert (shares > 0).all()


@pytest.mark.parametrize("count", [2, 3, 7, 16])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_smallest_of_many_regions_is_no_sliver(shape, count):
    for seed in range(100):
        owners = RegionMap(count=count, shape=shape, seed=seed).owners((96, 128))
        shares = np.bincount(owners.ravel(), minlength=count) / owners.size
        assert shares.min() > 0.18 / count


@given(regions=MAPS, size=SIZES)
def test_owners_have_the_largest_weight_and_nearly_all_off_the_border(regions: RegionMap, size):
    weights, owners = regions.weights(size), regions.owners(size)
    own = np.take_along_axis(weights, owners[None].astype(int), axis=0)[0]
    np.testing.assert_array_equal(own, weights.max(axis=0))
    np.testing.assert_array_equal(regions.border(size), own < 509.001 / 510)


@given(regions=MAPS, size=SIZES)
def test_hard_borders_have_no_width(regions: RegionMap, size):
    hard = dataclasses.replace(regions, feather=0.0)
    assert not hard.border(size).any()
    assert set(np.unique(hard.weights(size))) <= {0, 1}


@given(regions=MAPS, size=SIZES, seed=st.integers(0, 99))
def test_a_region_shows_its_own_picture_and_borders_a_mixture(regions: RegionMap, size, seed):
    rng = np.random.default_rng(seed)
    pictures = rng.integers(256, size=(regions.count, *size, 3), dtype=np.uint8)
    made = regions.composite(list(pictures))
    assert made.dtype == np.uint8
    owners, border = regions.owners(size), regions.border(size)
    for number, picture in enumerate(pictures):
        inside = (owners == number) & ~border
        np.testing.assert_array_equal(made[inside], picture[inside])
    exact = np.einsum("nhw,nhwc->hwc", regions.weights(size).astype(float), pictures.astype(float))
    assert np.abs(made - exact).max() <= 0.501


@given(regions=MAPS, size=SIZES)
def test_pictures_that_agree_come_back(regions: RegionMap, size):
    picture = np.random.default_rng(0).integers(256, size=(*size, 3), dtype=np.uint8)
    np.testing.assert_array_equal(regions.composite([picture] * regions.count), picture)


@settings(max_examples=40)
@given(regions=MAPS, size=st.tuples(st.integers(64, 120), st.integers(64, 120)))
def test_another_size_has_the_same_layout(regions: RegionMap, size):
    small = regions.owners(size)
    large = regions.owners((3 * size[0], 3 * size[1]))
    np.testing.assert_array_equal(regions.owners(size), small)
    differ = large[1::3, 1::3] != small
    edges = cv2.morphologyEx(small, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)) > 0
    assert not (differ & ~edges).any()


@pytest.mark.parametrize("shape", SHAPES)
def test_seeds_differ(shape):
    owners = [RegionMap(count=6, shape=shape, seed=seed).owners((64, 64)) for seed in range(20)]
    assert all((a != b).any() for a, b in itertools.combinations(owners, 2))


@pytest.mark.parametrize("size", [(256, 256), (512, 512), (512, 900)])
def test_a_border_is_as_wide_as_asked(size):
    """Between two rectangles, across their straight border: pixels of 256 of the shorter side."""
    regions = RegionMap(count=2, shape="rectangles", feather=16, seed=1)
    border = regions.border(size)
    lines = border.any(axis=0) if border.any(axis=1).all() else border.any(axis=1)
    wanted = 16 * min(size) / 256
    assert 0.85 * wanted <= lines.sum() <= wanted


def test_cells_are_the_nearest_of_their_seeds():
    """Borders of Voronoi cells are straight: each cell is as large as its convex hull."""
    owners = RegionMap(count=7, shape="voronoi", seed=3).owners((300, 400))
    for number in range(7):
        contours, _ = cv2.findContours((owners == number).astype(np.uint8), 0, 2)
        assert len(contours) == 1
        hull = cv2.contourArea(cv2.convexHull(contours[0]))
        assert cv2.contourArea(contours[0]) > 0.97 * hull


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"count": 0}, "count of regions is 0; it must be 1 to 16"),
        ({"count": 17}, "17"),
        ({"shape": "hexagons"}, "'hexagons'; give rectangles or voronoi"),
        ({"feather": -1}, "feather is -1; it must lie from 0 to 64"),
        ({"feather": float("nan")}, "feather is nan"),
    ],
)
def test_wrong_values_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        RegionMap(**{"count": 2, "shape": "voronoi", "seed": 0, **wrong})


def test_a_picture_is_needed_for_each_region():
    with pytest.raises(ValueError, match="1 pictures for 2 regions"):
        RegionMap(count=2, shape="voronoi", seed=0).composite([np.zeros((16, 16, 3), np.uint8)])
