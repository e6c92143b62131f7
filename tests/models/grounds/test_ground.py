"""What grounds must show, judged by statistics that know nothing of how they are drawn."""

from __future__ import annotations

import hashlib
import itertools
import math

import cv2
import numpy as np
import pytest
import skimage.color
import skimage.data

from gends.models.bundled_photos import names
from gends.models.degrader import Image
from gends.models.grounds import colours, regular, stochastic
from gends.models.grounds.ground import CATEGORIES, KINDS, draw_ground
from gends.models.parametric.catalog import OPERATIONS
from gends.models.parametric.operation import Operation
from gends.models.pixels import to_float, to_uint8


@pytest.mark.slow
def test_no_two_of_2000_are_equal_and_none_is_dark_or_light():
    """Of a pool of n grounds, m have some m²/2n equal pairs: none of 2000 is one of millions."""
    digests = set()
    for seed in range(2000):
        ground = draw_ground(seed)
        assert ground.shape == (224, 224, 3)
        assert ground.dtype == np.uint8
        assert 0.35 <= ground.mean() / 255 <= 0.65
        digests.add(hashlib.sha256(ground.tobytes()).digest())
    assert len(digests) == 2000


def test_elements_and_places_combine_to_millions():
    elements = [len(part.ELEMENTS) for part in (regular, stochastic, colours)]
    ramps = 4 * 2 * len(colours.RAMPS)
    cuts = 2 * round(0.3 * 224)  # of the first of three only
    kinds = math.prod(elements) * ramps * len(names()) * math.factorial(len(CATEGORIES))
    assert kinds * cuts >= 1e6


@pytest.mark.parametrize("kind", KINDS)
def test_equal_seeds_give_equal_bytes_on_any_number_of_threads(kind):
    before = cv2.getNumThreads()
    try:
        made = []
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            made.append([draw_ground(seed, kind, 320) for seed in range(12)])
    finally:
        cv2.setNumThreads(before)
    np.testing.assert_array_equal(*made)


@pytest.mark.parametrize("side", [64, 97, 256, 640])
@pytest.mark.parametrize("kind", KINDS)
def test_any_side(kind, side):
    for seed in range(24):
        ground = draw_ground(seed, kind, side)
        assert ground.shape == (side, side, 3)
        assert 0.35 <= ground.mean() / 255 <= 0.65


def test_each_ground_holds_one_part_of_each_category(monkeypatch):
    """Parts are painted in one level each: four levels, in four rectangles of fair size."""

    def painter(level: int):
        return lambda size, rng: np.full((*size, 3), level, np.uint8)

    monkeypatch.setattr(
        "gends.models.grounds.ground.CATEGORIES", tuple(painter(n) for n in range(4))
    )
    places = set()
    for seed in range(200):
        ground = draw_ground(seed)[..., 0]
        shares = np.bincount(ground.ravel(), minlength=4) / ground.size
        assert shares.min() > 0.08
        for level in range(4):
            x, y, width, height = cv2.boundingRect((ground == level).astype(np.uint8))
            assert (ground[y : y + height, x : x + width] == level).all()
        places.add(tuple(ground[[0, 0, -1, -1], [0, -1, 0, -1]]))
    assert len(places) > 20


def test_a_blank_ground_is_one_colour_and_a_simple_one_has_few():
    blanks = [draw_ground(seed, "blank") for seed in range(50)]
    assert all((blank == blank[0, 0]).all() for blank in blanks)
    assert len({tuple(blank[0, 0]) for blank in blanks}) == 50
    for seed in range(50):
        simple = draw_ground(seed, "simple")
        _, counts = np.unique(simple.reshape(-1, 3), axis=0, return_counts=True)
        assert 2 <= (counts > 100).sum() <= 9
        assert counts.max() > 0.3 * counts.sum()


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="side of a ground is 63; it must be at least 64"):
        draw_ground(0, side=63)
    with pytest.raises(ValueError, match="kind of a ground is 'plain'; give varied, blank, simple"):
        draw_ground(0, "plain")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def photos() -> list[Image]:
    pictures = (skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea())
    return [
        cv2.resize(np.ascontiguousarray(p[:300, 50:350]), (224, 224), interpolation=cv2.INTER_AREA)
        for p in pictures
    ]


def change(operation: Operation, images: list[Image], seeds: range) -> float:
    """Mean |out − in| in levels over draws, images and usual strengths."""
    changes = []
    for seed, image in zip(seeds, itertools.cycle(images)):
        parameters = operation.draw(np.random.default_rng(seed))
        strength = float(np.random.default_rng(seed).uniform(*operation.usual))
        out = operation.apply(to_float(image), parameters, strength, seed)
        changes.append(np.abs(to_uint8(out).astype(int) - image).mean())
    return float(np.mean(changes))


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_a_degradation_changes_a_ground_as_much_as_a_photograph(operation, photos):
    seeds = range(24)
    grounds = [draw_ground(seed) for seed in seeds]
    assert change(operation, grounds, seeds) >= 0.7 * change(operation, photos, seeds)


def test_known_colours_cover_hues_and_lightnesses():
    """All of 8 hues by 8 lightnesses of CIELAB, and greys from black to white."""
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(20):
        part = colours.draw_colours((110, 120), rng)
        lab = skimage.color.rgb2lab(part)
        colourful = np.hypot(lab[..., 1], lab[..., 2]) > 2
        hue = np.arctan2(lab[..., 2], lab[..., 1]) % (2 * np.pi) / (2 * np.pi)
        cells = np.stack([hue, lab[..., 0] / 100], axis=-1)[colourful]
        seen |= {tuple(cell) for cell in np.unique(np.floor(8 * cells), axis=0).astype(int)}
        grey = np.unique(part[(part == part[..., :1]).all(axis=-1)][:, 0])
        assert {0, 255} <= set(grey)
        assert len(grey) >= 16
    assert seen >= set(itertools.product(range(8), range(8)))
