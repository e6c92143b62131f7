from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from gends import Augment, PairDataset, PairLoader, PairStream, WithMove
from gends.pipeline.format.png import Window
from gends.reading.augment import Move

# Every pixel has a value of its own, so that a picture shows what was done to it.
PICTURE = np.arange(12 * 10, dtype=np.uint8).reshape(12, 10)


@pytest.fixture(scope="module")
def root(finished):
    return finished.store.root


def test_moves_cut_then_mirror_then_turn():
    move = Move(window=Window(2, 3, 4, 5), flip=True, turns=1)
    assert np.array_equal(move.apply(PICTURE), np.rot90(PICTURE[2:6, 3:8][:, ::-1]))
    colours = np.stack([PICTURE] * 3, axis=2)
    assert np.array_equal(move.apply(colours)[:, :, 1], move.apply(PICTURE))
    nothing = Move(window=None, flip=False, turns=0)
    assert nothing.apply(PICTURE) is PICTURE


@given(numbers=st.tuples(st.integers(0, 9), st.integers(0, 99)), crop=st.integers(1, 10))
def test_moves_are_functions_of_their_numbers(numbers, crop):
    augment = Augment(crop=crop, flip=True, rotate=True)
    move = augment.draw(12, 10, numbers)
    assert move == augment.draw(12, 10, numbers)
    assert move.apply(PICTURE).shape == (crop, crop)
    # What is not asked for does not change the rest.
    assert Augment(crop=crop).draw(12, 10, numbers) == Move(move.window, flip=False, turns=0)


def test_all_moves_come_about_equally_often():
    moves = [Augment(crop=6, flip=True, rotate=True).draw(12, 10, (0, n)) for n in range(2000)]
    tops = np.bincount([move.window.top for move in moves], minlength=7)
    lefts = np.bincount([move.window.left for move in moves], minlength=5)
    assert len(tops) == 7
    assert len(lefts) == 5
    assert tops.min() > 200
    assert lefts.min() > 300
    assert 900 < sum(move.flip for move in moves) < 1100
    assert np.bincount([move.turns for move in moves]).min() > 400
    other = Augment(crop=6, flip=True, rotate=True, seed=1)
    assert other.draw(12, 10, (0, 0)) != moves[0]


def test_what_is_not_square_keeps_its_shape():
    augment = Augment(rotate=True)
    assert {augment.draw(12, 10, (n,)).turns for n in range(50)} == {0, 2}
    augment = Augment(crop=(4, 6), rotate=True)
    assert {augment.draw(12, 10, (n,)).apply(PICTURE).shape for n in range(50)} == {(4, 6)}


def test_both_pictures_of_a_pair_move_alike(root):
    plain = PairDataset(root)
    augment = Augment(crop=40, flip=True, rotate=True)
    moved = PairDataset(root, augment=augment)
    moved.set_epoch(5)
    for index in range(8):
        move = augment.draw(64, 64, (5, index))
        for part in ("gt", "lq"):
            found = moved[index][part]
            assert np.array_equal(found, move.apply(plain[index][part]))
            torch.from_numpy(found)  # its strides are none that torch refuses


def with_mask(item, move):
    """A mask that was not stored: where the whole degraded picture is bright."""
    mask = MASKS[item["key"]]
    return {**item, "mask": np.ascontiguousarray(move.apply(mask))}


MASKS: dict[str, np.ndarray] = {}


def test_what_else_belongs_to_a_pair_moves_alike(root):
    MASKS.update({item["key"]: item["lq"][:, :, 0] > 99 for item in PairDataset(root)})
    augment = Augment(crop=40, flip=True, rotate=True)
    moved = PairDataset(root, augment=augment, transform=WithMove(with_mask))
    for item in moved:
        assert np.array_equal(item["mask"], item["lq"][:, :, 0] > 99)
        assert "move" not in item
    stream = PairStream(root, preset="tensor", augment=augment, transform=WithMove(with_mask))
    for batch in PairLoader(stream, batch_size=8):
        assert torch.equal(batch["mask"], batch["lq"][:, 0] * 255 > 99.5)
    whole = PairDataset(root, transform=WithMove(with_mask))[0]
    assert np.array_equal(whole["mask"], MASKS[whole["key"]])


def test_epochs_change_the_moves_of_a_dataset(root):
    dataset = PairDataset(root, augment=Augment(crop=16))
    assert dataset.epoch is None

    def pictures(epoch: int) -> np.ndarray:
        dataset.set_epoch(epoch)
        assert dataset.epoch == epoch
        return np.stack([item["lq"] for item in dataset])

    assert np.array_equal(pictures(1), pictures(1))
    assert not np.array_equal(pictures(1), pictures(2))


def test_without_an_epoch_torch_decides(root):
    dataset = PairDataset(root, augment=Augment(crop=16))

    def picture(seed: int) -> np.ndarray:
        torch.manual_seed(seed)
        return dataset[0]["lq"]

    assert np.array_equal(picture(1), picture(1))
    torch.manual_seed(1)
    assert not np.array_equal(dataset[0]["lq"], dataset[0]["lq"])


@pytest.mark.filterwarnings("ignore:This process .* is multi-thread:DeprecationWarning")
def test_persistent_workers_see_the_epoch_of_a_dataset(root):
    dataset = PairDataset(root, augment=Augment(crop=16), degradations=["haze"])
    loader = DataLoader(dataset, batch_size=4, num_workers=1, persistent_workers=True)
    for epoch in (0, 1):
        dataset.set_epoch(epoch)
        found = torch.cat([batch["lq"] for batch in loader]).numpy()
        assert np.array_equal(found, np.stack([item["lq"] for item in dataset]))


def test_a_pair_that_a_mix_draws_twice_is_cut_twice(root):
    stream = PairStream(root, mix="gends", length=400, augment=Augment(crop=16))
    cuts: dict[str, set[bytes]] = {}
    for item in stream:
        cuts.setdefault(item["key"], set()).add(item["lq"].tobytes())
    assert sum(map(len, cuts.values())) > 380


def test_crops_that_do_not_fit_are_refused_before_reading(root):
    with pytest.raises(ValueError, match=r"crop 65 is larger than the smallest pair, height 64"):
        PairDataset(root, augment=Augment(crop=65))
    with pytest.raises(ValueError, match=r"crop \(64, 80\) .*field\('width'\) >= 80"):
        PairDataset(root, augment=Augment(crop=(64, 80)))
    with pytest.raises(ValueError, match="crop must be at least 1 pixel, got 0"):
        Augment(crop=0)


@pytest.mark.parametrize("crop", [1.5, (32,), "32", "ab", (8, 8.0), True, (1, 2, 3), {}])
def test_crops_that_are_none_name_themselves(crop):
    says = f"crop must be a number of pixels or (height, width) of them, got {crop!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(says)}$"):
        Augment(crop=crop)


def test_crops_may_be_numbers_of_numpy_and_lists_of_a_file():
    assert Augment(crop=np.int64(4)).draw(9, 9, (0,)) == Augment(crop=[4, 4]).draw(9, 9, (0,))
