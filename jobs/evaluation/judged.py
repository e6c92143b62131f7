"""What is evaluated: a restorer, or pictures that one made elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from gends.jobs.evaluation.settings import Settings
from gends.jobs.restorer import Restorer
from gends.models.degrader import Image
from gends.models.digest import digest_folder
from gends.pipeline.evaluation.restored import RestoredFolder
from gends.pipeline.evaluation.score import Restore

CONFIG = "config.json"
"""In every folder of a restorer, and in none of pictures."""


class Judged(Protocol):
    """Gives restored pictures."""

    @property
    def facts(self) -> dict[str, Any]:
        """JSON values that say what it is."""

    def restore(self, data: str) -> Restore:
        """What makes or finds the restored pictures of the dataset of that name."""


def open_judged(settings: Settings, rows: Mapping[str, pa.Table], device: str) -> Judged:
    """Open the restorer, or check that a folder has a picture for every pair of `rows`.

    Raises:
        ValueError: there is no restorer, or pictures are missing.
    """
    if not (settings.judged / CONFIG).exists():
        pictures = RestoredFolder(settings.judged)
        for data, found in rows.items():
            pictures.check(data, found["key"].to_pylist())
        return _Pictures(settings.judged, pictures)
    restorer = Restorer.open(
        settings.judged,
        tile=settings.tile,
        overlap=settings.overlap,
        device=device,
        bf16=settings.bf16,
    )
    return _Model(settings.judged, restorer)


class _Model:
    def __init__(self, folder: Path, restorer: Restorer) -> None:
        self.facts: dict[str, Any] = {
            "model": str(folder),
            "model_digest": digest_folder(folder),
            "tile": restorer.tiling.tile,
            "overlap": restorer.tiling.overlap,
            "bf16": restorer.bf16,
        }
        self._restorer = restorer

    def restore(self, data: str) -> Restore:
        return lambda row, lq: self._restorer(lq)


class _Pictures:
    def __init__(self, folder: Path, pictures: RestoredFolder) -> None:
        self.facts: dict[str, Any] = {"pictures": str(folder)}
        self._pictures = pictures

    def restore(self, data: str) -> Restore:
        def read(row: dict[str, Any], lq: Image) -> Image:
            return self._pictures.read(data, row["key"], lq.shape[:2])

        return read
