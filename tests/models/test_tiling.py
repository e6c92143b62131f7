from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from gends.models.tiling import Tiling, restore

SMALL = Tiling(tile=64, overlap=32)


@pytest.fixture
def local_network() -> nn.Module:
    """Looks eight pixels far: four convolutions of 5x5."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 5, padding=2), nn.Conv2d(8, 8, 5, padding=2)]
    layers += [nn.Tanh(), nn.Conv2d(8, 8, 5, padding=2), nn.Conv2d(8, 3, 5, padding=2)]
    network = nn.Sequential(*layers, nn.Sigmoid()).eval()
    with torch.no_grad():
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                layer.weight *= 3
    return network


def untiled(network, image):
    return restore(network, image, Tiling(tile=4096))


def test_tiles_change_nothing_for_a_network_that_sees_no_further_than_the_discarded_margin(
    local_network, photographs
):
    image = photographs["chelsea"]
    assert min(image.shape[:2]) > 4 * 64
    tiled, whole = restore(local_network, image, SMALL), untiled(local_network, image)
    assert whole.std() > 5
    # Sums in another order round a few values to the next level.
    assert np.abs(tiled.astype(int) - whole).max() <= 1
    assert (tiled != whole).mean() < 1e-3


def test_tiles_that_are_not_blended_show(local_network, photographs):
    image = photographs["chelsea"]
    hard = restore(local_network, image, Tiling(tile=64, overlap=0))
    assert (hard != untiled(local_network, image)).mean() > 0.05


def test_seams_of_a_network_that_sees_everything_are_no_steeper_than_the_picture(photographs):
    def brighten(x):
        return x + 0.3 * (1 - x.mean())  # as a global pooling would: each tile another amount

    image = photographs["astronaut"]
    tiled = restore(brighten, image, SMALL).astype(float)
    added = tiled - image
    inside = (tiled > 0) & (tiled < 255)
    steps = np.abs(np.diff(added, axis=1))[inside[:, 1:] & inside[:, :-1]]
    hard = restore(brighten, image, Tiling(tile=64, overlap=0)).astype(float) - image
    assert np.ptp(added[inside]) > 25
    assert steps.max() <= 5  # levels from one pixel to the next
    assert np.abs(np.diff(hard, axis=1)).max() > 25


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (63, 65), (64, 64), (129, 97), (300, 31)])
def test_any_size_keeps_every_pixel(size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    for tiling in (SMALL, Tiling(tile=64, overlap=0), Tiling(tile=23, overlap=9)):
        assert (restore(lambda x: x, image, tiling) == image).all()


def test_the_largest_thing_that_a_network_is_given_is_one_tile(photographs):
    seen = []
    restore(lambda x: seen.append(tuple(x.shape)) or x, photographs["coffee"], SMALL)
    assert set(seen) == {(1, 3, 64, 64)}


def test_values_are_clamped_and_rounded_to_the_nearest_level():
    image = np.full((4, 4, 3), 100, np.uint8)
    assert (restore(lambda x: x + 0.4 / 255, image) == 100).all()
    assert (restore(lambda x: x + 0.6 / 255, image) == 101).all()
    assert (restore(lambda x: x - 1, image) == 0).all()
    assert (restore(lambda x: x + 1, image) == 255).all()


def test_bf16_is_close(local_network, photographs):
    image = photographs["coffee"][:96, :96]
    half = restore(local_network, image, SMALL, bf16=True)
    whole = restore(local_network, image, SMALL)
    assert (half != whole).any()
    assert np.abs(half.astype(int) - whole).mean() < 2


def test_what_is_not_finite_is_an_error():
    with pytest.raises(FloatingPointError, match="not finite"):
        restore(lambda x: x / 0, np.zeros((8, 8, 3), np.uint8))


@pytest.mark.parametrize(("tile", "overlap"), [(0, 0), (64, 33), (64, -1)])
def test_tiles_without_a_middle_are_refused(tile, overlap):
    with pytest.raises(ValueError, match=r"half of the tile"):
        Tiling(tile=tile, overlap=overlap)
