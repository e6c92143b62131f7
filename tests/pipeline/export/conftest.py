from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gends.pipeline.export.formats import Exported, export
from gends.pipeline.export.selection import Selection
from gends.pipeline.reading.reader import ShardReader, read_manifest


@pytest.fixture(scope="session")
def rows(finished) -> dict[str, dict]:
    """Accepted rows of the finished dataset by key, with their pictures' bytes."""
    reader = ShardReader(finished.store.root)
    found = {}
    for row in read_manifest(finished.store.root).to_pylist():
        pictures = {f"{part}_bytes": bytes(data) for part, data in reader.read_pair(row).items()}
        found[row["key"]] = row | pictures
    return found


@pytest.fixture
def exported(finished, tmp_path) -> Callable[..., tuple[Path, Exported]]:
    """(format, **selection) exports the finished dataset into a new folder."""

    def run(name: str, **selection: object) -> tuple[Path, Exported]:
        out = tmp_path / "an export, with spaces"
        return out, export(name, finished.store.root, out, selection=Selection(**selection))

    return run
