"""Pictures that were restored elsewhere, in a folder, by the keys of their pairs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from gends.models.degrader import Image
from gends.pictures.formats import open_image
from gends.pipeline.storage.store import usable

SUFFIXES = (".png", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
NAMED = 5


class RestoredFolder:
    """`FOLDER/<dataset>/<key>.png`; of a single dataset also `FOLDER/<key>.png`.

    Keys name a pair within its dataset only: pictures of one may have the names of another's.
    """

    def __init__(self, folder: Path, datasets: Collection[str]) -> None:
        """Point at a folder with pictures of these datasets: their names, or paths that end in it.

        Raises:
            ValueError: two are called alike, so that one subfolder would be both's.
        """
        self._folder = folder
        self._several = len(datasets) > 1
        names = [Path(dataset).name for dataset in datasets]
        if alike := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"{folder / alike[0]} cannot hold the restored pictures of two datasets: "
                f"{', '.join(d for d in datasets if Path(d).name == alike[0])}; restore each into "
                "a folder of its own, and evaluate them one at a time"
            )

    def check(self, dataset: str, keys: Iterable[str]) -> None:
        """Raise ValueError unless every pair of a dataset has its picture."""
        place = self.place(dataset)
        missing = [key for key in keys if _file(place, key) is None]
        if missing:
            shown = ", ".join(missing[:NAMED]) + (", …" if len(missing) > NAMED else "")
            raise ValueError(
                f"{place}: {len(missing)} pairs of {dataset} have no restored picture KEY.png: "
                f"{shown}. Figures of the others would be of another set: restore these too, or "
                "evaluate fewer with --degradations, --split or --limit"
            )

    def read(self, dataset: str, key: str, size: tuple[int, ...]) -> Image:
        """The restored picture of a pair, uint8 (H, W, 3) RGB, of the pair's own size (H, W).

        Raises:
            ValueError: it is not there, no picture, or of another size.
            OSError: it cannot be read.
        """
        place = self.place(dataset)
        file = _file(place, key)
        if file is None:
            raise ValueError(f"{place / key}.png is gone")
        with usable(file):
            data = file.read_bytes()
        try:
            with open_image(data) as picture:
                _check_size(file, picture.size, size)
                return np.array(picture.convert("RGB"))
        except (_SizeError, MemoryError):
            raise  # a shortage of memory says nothing about the picture
        except Exception as error:  # decoders raise anything from SyntaxError to struct.error
            raise ValueError(f"{file}: no readable picture ({error})") from error

    def place(self, dataset: str) -> Path:
        """Where the pictures of a dataset lie."""
        own = self._folder / Path(dataset).name
        return own if self._several or own.is_dir() else self._folder


class _SizeError(ValueError):
    """A picture of another size than its pair."""


def _check_size(file: Path, found: tuple[int, int], size: tuple[int, ...]) -> None:
    width, height = found
    if (height, width) != size:
        raise _SizeError(
            f"{file} has {width}x{height} pixels, its pair {size[1]}x{size[0]}: restore "
            "without resizing"
        )


def _file(folder: Path, key: str) -> Path | None:
    files = (folder / f"{key}{suffix}" for suffix in SUFFIXES)
    return next((file for file in files if file.is_file()), None)
