"""Levels counted, and Pillow's posterize."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageOps

from gends.models.parametric.coding.quantization import BITS, QUANTIZATION, ROUNDINGS
from gends.models.pixels import to_float, to_uint8

RAMP = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(16, 16, 3)


def _quantized(levels: np.ndarray, bits: int, rounding: str) -> np.ndarray:
    strength = BITS.strength(bits)
    return to_uint8(QUANTIZATION.apply(to_float(levels), {"rounding": rounding}, strength, 0))


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("bits", range(2, 9))
def test_as_many_levels_are_left_as_bits_allow(bits: int, rounding: str):
    levels = np.unique(_quantized(RAMP, bits, rounding))
    assert len(levels) == 2**bits
    assert levels[0] == 0
    assert levels[-1] == (256 - 2 ** (8 - bits) if rounding == "floor" else 255)
    assert np.ptp(np.diff(levels)) <= 1


@pytest.mark.parametrize("bits", range(2, 8))
def test_floor_is_the_posterize_of_pillow(bits: int):
    photo = skimage.data.astronaut()
    expected = np.asarray(ImageOps.posterize(Image.fromarray(photo), bits))
    np.testing.assert_array_equal(_quantized(photo, bits, "floor"), expected)


def test_four_bits_by_expand_are_the_upper_nibble_twice():
    np.testing.assert_array_equal(_quantized(RAMP, 4, "expand"), (RAMP >> 4) * 17)


def test_round_takes_the_nearest_level():
    error = np.abs(_quantized(RAMP, 4, "round").astype(int) - RAMP)
    assert error.max() == 8
    assert abs(np.mean(_quantized(RAMP, 4, "round") - RAMP.astype(float))) < 0.01
