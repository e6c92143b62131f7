import numpy as np
import pytest
import torch

from gends.models.pixels import to_images, to_tensor


def test_every_level_survives_the_way_there_and_back():
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    assert np.array_equal(to_images(to_tensor(levels)), levels)


def test_white_is_one_and_black_is_minus_one():
    tensor = to_tensor([np.full((2, 3, 3), level, np.uint8) for level in (0, 255)])
    assert tensor.shape == (2, 3, 2, 3)
    assert tensor.flatten(1).unique(dim=1).tolist() == [[-1.0], [1.0]]


@pytest.mark.parametrize(("value", "level"), [(-7.0, 0), (7.0, 255), (0.0039, 128)])
def test_values_are_clamped_and_rounded(value, level):
    assert to_images(torch.full((1, 3, 1, 1), value)).flatten().tolist() == [level] * 3
