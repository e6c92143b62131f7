from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import GRAIN, SPOT
from PIL import Image as Pillow

from gends.models.parametric.catalog import OPERATIONS
from gends.models.regions import SHAPES, RegionMap
from gends.pipeline.format.labels import BORDER
from gends.pipeline.making.mask import TOUCHED, Labelled, label_regions
from gends.pipeline.making.pack import encode_lossless
from gends.pipeline.types import Step

SIZE = (40, 64)
HAZE, RAIN, DROP = (OPERATIONS[name].label for name in ("haze", "rain", "raindrop"))


@pytest.fixture(autouse=True)
def _made_up(made_up):
    """`grain` and `spot` are there."""


def picture(level=100):
    return np.full((*SIZE, 3), level, np.uint8)


def changed(before, where, by):
    """A picture, one of whose channels is changed by that many levels within a part."""
    after = before.copy()
    after[(*where, 1)] += np.uint8(by)
    return after


def region(*ops_and_pictures, first=None, engine="parametric"):
    """A region's steps; each is given as its operation and the picture after it."""
    steps = tuple(Step(op=op, engine=engine) for op, _ in ops_and_pictures)
    pictures = (picture() if first is None else first, *(p for _, p in ops_and_pictures))
    return Labelled(steps=steps, pictures=pictures)


def numbers(bits):
    """The bits, (H, W), as a reader that knows of PNG alone has them."""
    r, g, b, a = np.moveaxis(bits.astype(np.int64), 2, 0)
    return r + (g << 8) + (b << 16) + (a << 24)


def bit(*labels):
    return sum(2 ** (label - 1) for label in labels)


EVERYWHERE = np.s_[:, :]
LEFT = np.s_[:, :20]


def test_a_step_that_is_everywhere_is_everywhere_even_where_it_changed_nothing():
    mask, bits = label_regions([region(("haze", changed(picture(), LEFT, 50)))], None)
    assert (mask == HAZE).all()
    assert (numbers(bits) == bit(HAZE)).all()
    assert (mask.dtype, mask.shape, bits.dtype, bits.shape) == (
        np.uint8,
        SIZE,
        np.uint8,
        (*SIZE, 4),
    )


def test_a_step_in_one_place_is_where_it_changed_more_than_it_rounds():
    one = picture()
    one[:, :10, 2] += TOUCHED
    one[:, 10:20, 2] += TOUCHED + 1
    one[:, 20:30, 0] -= TOUCHED + 1
    mask, bits = label_regions([region(("spot", one))], None)
    there = np.zeros(SIZE, bool)
    there[:, 10:30] = True
    assert np.array_equal(mask, np.where(there, SPOT.label, 0))
    assert np.array_equal(numbers(bits), np.where(there, bit(SPOT.label), 0))


def test_painted_drops_may_be_anywhere():
    painted = region(("raindrop", changed(picture(), LEFT, 50)), engine="gendeg")
    mask, _ = label_regions([painted], None)
    assert (mask == DROP).all()
    mask, _ = label_regions([region(("raindrop", changed(picture(), LEFT, 50)))], None)
    assert (mask[:, :20] == DROP).all()
    assert (mask[:, 20:] == 0).all()


def test_of_steps_that_are_everywhere_the_one_that_changed_most_has_the_label():
    for order in (("haze", "rain"), ("rain", "haze")):
        first = changed(picture(), EVERYWHERE, 5)
        last = changed(first, EVERYWHERE, 60)
        mask, bits = label_regions([region((order[0], first), (order[1], last))], None)
        assert (mask == OPERATIONS[order[1]].label).all()
        assert (numbers(bits) == bit(HAZE, RAIN)).all()
        first = changed(picture(), EVERYWHERE, 60)
        last = changed(first, EVERYWHERE, 5)
        mask, _ = label_regions([region((order[0], first), (order[1], last))], None)
        assert (mask == OPERATIONS[order[0]].label).all()


def test_a_step_in_one_place_comes_before_stronger_ones_that_are_everywhere():
    hazy = changed(picture(), EVERYWHERE, 100)
    both = changed(hazy, LEFT, 10)
    mask, bits = label_regions([region(("haze", hazy), ("spot", both))], None)
    assert (mask[:, :20] == SPOT.label).all()
    assert (mask[:, 20:] == HAZE).all()
    assert (numbers(bits)[:, :20] == bit(HAZE, SPOT.label)).all()
    assert (numbers(bits)[:, 20:] == bit(HAZE)).all()


def test_a_step_is_held_against_its_own_input():
    """What came before it is not taken for its doing."""
    hazy = changed(picture(), EVERYWHERE, 100)
    mask, _ = label_regions([region(("haze", hazy), ("spot", hazy))], None)
    assert (mask == HAZE).all()


def test_no_steps_no_labels():
    mask, bits = label_regions([Labelled(steps=(), pictures=(picture(),))], None)
    assert not mask.any()
    assert not bits.any()


@settings(max_examples=30)
@given(
    count=st.integers(1, 5),
    shape=st.sampled_from(SHAPES),
    feather=st.sampled_from([0.0, 12.0, 40.0]),
    seed=st.integers(0, 2**32),
)
def test_labels_of_regions_follow_their_owners_and_borders(count, shape, feather, seed):
    ops = ["haze", "rain", "grain", "snow", "low_light"][:count]
    layout = RegionMap(count=count, shape=shape, feather=feather, seed=seed)
    regions = [region((op, changed(picture(), EVERYWHERE, 9))) for op in ops]
    mask, bits = label_regions(regions, layout)
    labels = np.array([OPERATIONS[op].label for op in ops])
    owners, weights = layout.owners(SIZE), layout.weights(SIZE)
    soft = layout.border(SIZE)
    assert np.array_equal(mask[~soft], labels[owners][~soft])
    assert (mask[soft] == BORDER).all()
    expected = sum((weights[n] > 0) * bit(label) for n, label in enumerate(labels.tolist()))
    assert np.array_equal(numbers(bits), expected)
    assert feather or not soft.any()


def test_on_the_border_of_an_untouched_region_only_the_others_steps_are():
    layout = RegionMap(count=2, shape="rectangles", feather=40, seed=3)
    empty = Labelled(steps=(), pictures=(picture(),))
    mask, bits = label_regions([region(("haze", picture(150))), empty], layout)
    weights = layout.weights(SIZE)
    assert np.array_equal(numbers(bits) == bit(HAZE), weights[0] > 0)
    assert set(np.unique(mask)) == {0, HAZE, BORDER}


@pytest.mark.parametrize("label", [GRAIN.label, SPOT.label])
def test_masks_and_bits_survive_being_stored(label):
    """An alpha of 0 must not cost the bits beside it."""
    op = "grain" if label == GRAIN.label else "spot"
    made = changed(changed(picture(), LEFT, 50), np.s_[:, 30:], 7)
    for planes in label_regions([region(("haze", picture(90)), (op, made))], None):
        stored = np.asarray(Pillow.open(io.BytesIO(encode_lossless(planes))))
        assert stored.shape == planes.shape
        assert np.array_equal(stored, planes)


def test_every_label_has_a_bit_and_is_no_other_operations():
    labels = [operation.label for operation in OPERATIONS.values()]
    assert len(set(labels)) == len(labels)
    assert all(1 <= label <= 32 for label in labels)
