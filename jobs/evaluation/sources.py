"""Whether what is evaluated on was trained on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from gends.jobs.evaluation.settings import Settings
from gends.jobs.training.restorer_result import FACTS
from gends.pipeline.disjoint import refuse_shared
from gends.pipeline.identity import IdentityError
from gends.pipeline.reader import DatasetNotFoundError


def check_sources(settings: Settings) -> str:
    """Say what was checked: the training data that are named, or else those of MODEL's record.

    Raises:
        SharedSourcesError: photographs of the data are in the training data; they are named.
        ValueError: the record is damaged.
    """
    if settings.train_data:
        return _check(settings, settings.train_data, settings.train_split)
    record = settings.judged / FACTS
    if not record.exists():
        return _unchecked(f"{settings.judged} has no {FACTS} that says what it was trained on")
    roots, split = _recorded(record)
    try:
        return _check(settings, roots, split)
    except (DatasetNotFoundError, IdentityError, FileNotFoundError) as error:
        return _unchecked(f"the training data of {record} are not there ({error})")


def _check(settings: Settings, roots: Sequence[str], split: str | None) -> str:
    refuse_shared(roots, settings.data, train_split=split, test_split=settings.split)
    used = f", split {split}" if split else ""
    return f"No photograph is in the training data ({', '.join(roots)}{used}), by content."


def _unchecked(why: str) -> str:
    return f"NOT checked whether photographs were trained on: {why}; name them with --train-data."


def _recorded(record: Path) -> tuple[list[str], str | None]:
    try:
        train = json.loads(record.read_text(encoding="utf-8"))["train"]
        return [str(root) for root in train["roots"]], train["split"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{record}: damaged ({error!r}); name the data with --train-data"
        ) from error
