"""Measures the pairs of image folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from gends.histograms.fit import Row
from gends.histograms.names import degradation_name
from gends.histograms.severity import measure
from gends.pictures.decoding_bytes import TooLargeError
from gends.pictures.formats import SUFFIXES, open_image, unreadable_suffix

GT, LQ = "gt", "lq"
LAYOUT = "<degradation>/<dataset>/{gt,lq}/<name>.*"
Skip = Callable[[ValueError], None]
"""Told what is left out, and why; may raise it."""


def refuse(error: ValueError) -> None:
    """Leave nothing out."""
    raise error


def iterate_pairs(
    root: str | os.PathLike[str],
    degradation: str | None = None,
    dataset: str | None = None,
    size: int | None = 256,
    skip: Skip = refuse,
) -> Iterator[Row]:
    """Yield degradation, dataset, mu and sigma of every pair under `root`, in order of path.

    Either `root` holds `<degradation>/<dataset>/gt` and `…/lq`, and the folders name what they
    hold; or it holds `gt` and `lq` itself, and `degradation` and `dataset` must be given. Images
    pair up by path without extension. Both images are resized to `size` × `size` with Lanczos, as
    in the publication, or measured as stored if `size` is None.

    Raises ValueError, naming the file or folder, for another layout. `skip` is called with one for
    a dataset without images, an image without partner or with two, one that cannot be read, and
    images of two sizes where `size` is None.
    """
    folder = Path(root)
    if (folder / GT).is_dir() or (folder / LQ).is_dir():
        if degradation is None or dataset is None:
            raise ValueError(
                f"{folder} holds {GT} and {LQ} itself: say which degradation and which dataset "
                "these pairs are"
            )
        sets = [(degradation_name(degradation), dataset, folder)]
    else:
        if degradation is not None or dataset is not None:
            raise ValueError(
                f"{folder} has no folders {GT} and {LQ}, so its own folders name degradation and "
                f"dataset ({LAYOUT}): leave them out, or point to one dataset"
            )
        sets = _named_sets(folder)
    return _measured(sets, size, skip)


def dataset_names(root: str | os.PathLike[str], dataset: str | None = None) -> set[str]:
    """Names of the datasets that `iterate_pairs` would give pairs of; raises the same errors."""
    return {name for _, name, _ in _named_sets(Path(root))} if dataset is None else {dataset}


def _measured(sets: list[tuple[str, str, Path]], size: int | None, skip: Skip) -> Iterator[Row]:
    for degradation, dataset, folder in sets:
        for gt, lq in _match(folder, skip):
            try:
                severity = _severity(gt, lq, size)
            except ValueError as error:
                skip(error)
                continue
            yield degradation, dataset, *severity


def _named_sets(root: Path) -> list[tuple[str, str, Path]]:
    found = (path for half in (GT, LQ) for path in root.glob(f"*/*/{half}"))
    folders = sorted({path.parent for path in found if path.is_dir()})
    if not folders:
        raise ValueError(f"{root} holds no pairs: expected {LAYOUT}, or {GT} and {LQ} directly")
    return [(degradation_name(path.parent.name), path.name, path) for path in folders]


def _match(folder: Path, skip: Skip) -> list[tuple[Path, Path]]:
    for half in (folder / GT, folder / LQ):
        if not half.is_dir():
            skip(ValueError(f"{half} is missing: pairs need both {GT} and {LQ}"))
            return []
    gts, lqs = _images(folder / GT, skip), _images(folder / LQ, skip)
    for one, other, missing in ((gts, lqs, LQ), (lqs, gts, GT)):
        for stem in sorted(one.keys() - other.keys()):
            skip(ValueError(f"{one[stem]} has no partner {folder / missing / stem}.*"))
    if not gts and not lqs:
        skip(ValueError(f"{folder} holds no images under {GT} and {LQ}"))
    return [(gts[stem], lqs[stem]) for stem in sorted(gts.keys() & lqs.keys())]


def _images(folder: Path, skip: Skip) -> dict[str, Path]:
    """Images under `folder` by their path in it without extension."""
    images: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        suffix = path.suffix.lower()
        if path.name.startswith(".") or path.is_dir():
            continue
        if suffix not in SUFFIXES:
            if suffix in Image.registered_extensions() or unreadable_suffix(suffix):
                way_out = unreadable_suffix(suffix) or "this format is not read; convert it to PNG"
                skip(ValueError(f"{path}: {way_out}"))
            continue
        stem = path.relative_to(folder).with_suffix("").as_posix()
        if stem in images:
            skip(ValueError(f"{path} and {images[stem]} have one name: the first is taken"))
            continue
        images[stem] = path
    return images


def _severity(gt: Path, lq: Path, size: int | None) -> tuple[float, float]:
    try:
        severity = measure(_decode(lq, size), _decode(gt, size))
    except ValueError as error:
        raise ValueError(f"cannot measure {lq} against {gt}: {error}") from error
    return severity.mu, severity.sigma


def _decode(path: Path, size: int | None) -> npt.NDArray[np.uint8]:
    try:
        with open_image(path) as file:
            if file.mode.startswith(("I", "F")):
                raise ValueError(f"{path.name} is {file.mode}, not 8 bits: convert it first")
            image = ImageOps.exif_transpose(file).convert("RGB")
    except (OSError, SyntaxError, TooLargeError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path.name} is no readable image ({error})") from error
    if size is not None:
        image = image.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(image)
