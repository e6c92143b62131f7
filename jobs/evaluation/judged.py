"""What is evaluated: a restorer, or pictures that one made elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from gends.jobs.evaluation.settings import Settings
from gends.jobs.restoring.record import Record, check_record
from gends.jobs.restoring.trained_restorer import Restorer
from gends.jobs.training.trained_on import History, history_of
from gends.models.degrader import Image
from gends.models.files.digest import digest_folder
from gends.pipeline.evaluation.restored import RestoredFolder
from gends.pipeline.evaluation.score import Restore

CONFIG = "config.json"
"""In every folder of a restorer, and in none of pictures."""


class Judged(Protocol):
    """Gives restored pictures."""

    @property
    def facts(self) -> dict[str, Any]:
        """JSON values that say what it is."""

    def history(self) -> History:
        """What it was trained on.

        Raises:
            ValueError: the record of it is damaged.
        """

    def restore(self, data: str) -> Restore:
        """What makes or finds the restored pictures of the dataset of that name."""


def open_judged(
    settings: Settings, roots: Mapping[str, str], rows: Mapping[str, pa.Table], device: str
) -> Judged:
    """Open the restorer, or check that a folder has the picture of every pair.

    Args:
        settings: of the evaluation.
        roots: of the datasets, by name.
        rows: their pairs that are evaluated, by name.
        device: of the restorer.

    Raises:
        ValueError: there is no restorer, or pictures are missing or of another dataset.
    """
    if not (settings.judged / CONFIG).exists():
        pictures = RestoredFolder(settings.judged, roots)
        records = {name: check_record(pictures.place(name), root) for name, root in roots.items()}
        for data, found in rows.items():
            pictures.check(data, found["key"].to_pylist())
        return _Pictures(settings.judged, pictures, records)
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
        self._folder, self._restorer = folder, restorer

    def history(self) -> History:
        return history_of(self._folder)

    def restore(self, data: str) -> Restore:
        return lambda row, lq: self._restorer(lq)


class _Pictures:
    def __init__(
        self, folder: Path, pictures: RestoredFolder, records: Mapping[str, Record | None]
    ) -> None:
        self.facts: dict[str, Any] = {"pictures": str(folder), "restored": dict(records)}
        self._folder, self._pictures, self._records = folder, pictures, records

    def history(self) -> History:
        histories = (
            History(unknown=str(self._folder))
            if record is None
            else History.from_json(record["trained_on"])
            for record in self._records.values()
        )
        return reduce(History.beside, histories)

    def restore(self, data: str) -> Restore:
        def read(row: dict[str, Any], lq: Image) -> Image:
            return self._pictures.read(data, row["key"], lq.shape[:2])

        return read
