"""Trainings of a tiny restorer on the dataset that all tests share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gends.jobs.training.restorer.settings import Data, RestorerSettings
from gends.jobs.training.trained_on import History, history_of
from gends.models.restorers.hyperparameters import find_hyperparameters


@pytest.fixture
def make_settings(finished, tmp_path) -> Callable[..., RestorerSettings]:
    """(**changes) -> settings of a training of 7 steps of 6 crops; of hyperparameters, too."""
    tiny = replace(find_hyperparameters("nafnet", "tiny"), steps=7, batch_size=6, crop=32)
    fields = set(RestorerSettings.__dataclass_fields__)

    def make(folder: Path = tmp_path / "run", **changes: Any) -> RestorerSettings:
        of_hyperparameters = {name: value for name, value in changes.items() if name not in fields}
        values: dict[str, Any] = {
            "folder": folder,
            "arch": "nafnet",
            "preset": "tiny",
            "pretrained": False,
            "model": None,
            "history": History(),
            "hyperparameters": replace(tiny, **of_hyperparameters),
            "data": Data(roots=(str(finished.store.root),)),
            "validation": None,
            "seed": 0,
            "bf16": False,
            "checkpoint_every": 2,
            "sample_every": 0,
            "report_every": 1,
            "loader_workers": 0,
            "threads": 1,
            "log_keys": True,
        }
        if "model" in changes and changes["model"] is not None:
            values["history"] = history_of(changes["model"])
        changes = {name: value for name, value in changes.items() if name in fields}
        return RestorerSettings(**values | changes)

    return make
