from __future__ import annotations

import pytest
from tiny_gendeg import TINY_MINI, TINY_SD, tiny_model

from gends.models.gendeg.model import GenDeg
from gends.models.gendeg.presets import Preset


@pytest.fixture(scope="session")
def mini_preset() -> Preset:
    return TINY_MINI


@pytest.fixture(scope="session")
def sd_preset() -> Preset:
    return TINY_SD


@pytest.fixture(scope="session", params=[TINY_MINI, TINY_SD], ids=lambda preset: preset.name)
def model(request: pytest.FixtureRequest) -> GenDeg:
    return tiny_model(request.param)


@pytest.fixture(scope="session")
def tiny_mini() -> GenDeg:
    return tiny_model(TINY_MINI)


@pytest.fixture(scope="session")
def tiny_sd() -> GenDeg:
    return tiny_model(TINY_SD)
