from __future__ import annotations

import numpy as np
import pytest

from gends.pipeline.evaluation.restoring import BadPictureError, encode_restored
from gends.pipeline.format.decode import decode


@pytest.mark.parametrize(("target", "most"), [("a.webp", 16383), ("a.jpg", 65500)])
def test_more_than_a_format_can_hold_is_the_pictures_fault(target, most):
    image = np.full((1, most + 1, 3), 90, np.uint8)
    assert decode(encode_restored(image[:, 1:], target)).shape == (1, most, 3)
    with pytest.raises(BadPictureError, match=f"{most + 1}x1 pixels make no "):
        encode_restored(image, target)
