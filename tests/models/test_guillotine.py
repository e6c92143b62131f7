from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gends.models.guillotine import guillotine


@given(
    count=st.integers(1, 16), seed=st.integers(0, 2**63), size=st.tuples(*[st.integers(16, 99)] * 2)
)
def test_boxes_tile_the_picture_and_none_is_a_sliver(count, seed, size):
    boxes = guillotine(count, np.random.default_rng(seed))
    covered = np.zeros(size, int)
    for box in boxes:
        assert covered[box.pixels(size)].size > 0
        covered[box.pixels(size)] += 1
        height, width = box.bottom - box.top, box.right - box.left
        assert max(height / width, width / height) < 3.8
        assert box.area >= 0.35 / count
    assert (covered == 1).all()
    assert len(boxes) == count
