import numpy as np
import pytest
import torch

from gends.models.pixels import (
    from_unit_tensor,
    to_float,
    to_images,
    to_tensor,
    to_uint8,
    to_unit_tensor,
)


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


def test_rounding_is_to_the_nearest_and_clips():
    values = np.array([-0.2, 0.0, 0.5 / 255, 0.51 / 255, 1.49 / 255, 1.0, 1.3], np.float32)
    np.testing.assert_array_equal(to_uint8(values), [0, 0, 0, 1, 1, 255, 255])


def test_every_level_survives_as_a_number_and_in_a_tensor():
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(8, 32, 3)
    levels.flags.writeable = False
    assert to_float(levels).dtype == np.float32
    assert np.array_equal(to_uint8(to_float(levels)), levels)
    tensor = to_unit_tensor(levels)
    assert tensor.shape == (1, 3, 8, 32)
    assert (tensor.min(), tensor.max()) == (0, 1)
    assert np.array_equal(tensor[0].permute(1, 2, 0).numpy(), to_float(levels))
    assert np.array_equal(from_unit_tensor(tensor[0]), levels)
    assert from_unit_tensor(torch.tensor([-1.0, 0.5 / 255, 2.0])[:, None, None]).tolist() == [
        [[0, 0, 255]]
    ]
