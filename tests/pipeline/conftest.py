from __future__ import annotations

import pytest
from PIL import Image as Pillow

from gends.models.degrader import Image
from gends.pipeline.making.load import cut
from gends.pipeline.planning.config import BuildConfig


@pytest.fixture(scope="session")
def pictures(photographs: dict[str, Image]) -> dict[str, Image]:
    """The photographs as a build of 128 pixels cuts them."""
    config = BuildConfig(resolution=128)
    return {n: cut(Pillow.fromarray(p), None, config) for n, p in photographs.items()}
