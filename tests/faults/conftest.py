from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from PIL import Image
from skimage import data


@pytest.fixture(scope="session")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Iterable[str]], Path]:
    """(up to 961 file names) -> a folder "photos" with one small piece of a photograph each."""

    def save(names: Iterable[str]) -> Path:
        folder = tmp_path_factory.mktemp("clean") / "photos"
        folder.mkdir()
        photograph = Image.fromarray(data.astronaut())
        for index, name in enumerate(names):
            left, top = 14 * (index % 31), 14 * (index // 31)
            photograph.crop((left, top, left + 80, top + 80)).save(folder / name)
        return folder

    return save
