from __future__ import annotations

import pytest
from made_up import GRAIN, SPOT, levels_of_made_up
from PIL import Image as Pillow

from gends.models.degrader import Image
from gends.models.parametric import levels
from gends.models.parametric.catalog import OPERATIONS
from gends.pipeline.making.load import cut
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.planning.recipe import RANK


@pytest.fixture(scope="session")
def pictures(photographs: dict[str, Image]) -> dict[str, Image]:
    """The photographs as a build of 128 pixels cuts them."""
    config = BuildConfig(resolution=128)
    return {n: cut(Pillow.fromarray(p), None, config) for n, p in photographs.items()}


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operations `grain` and `spot` are there, the last of the physical order."""
    for operation in (SPOT, GRAIN):
        monkeypatch.setitem(RANK, operation.name, len(RANK))
        monkeypatch.setitem(OPERATIONS, operation.name, operation)
    known = {**levels.stored_levels(), **{o.name: levels_of_made_up(o) for o in (SPOT, GRAIN)}}
    monkeypatch.setattr(levels, "stored_levels", lambda: known)
