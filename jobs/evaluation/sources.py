"""Whether what is evaluated on was trained on."""

from __future__ import annotations

from collections.abc import Sequence

from gends.jobs.evaluation.settings import Settings
from gends.jobs.training.trained_on import RECORD, History, history_of
from gends.pipeline.disjoint import refuse_shared


def check_sources(settings: Settings) -> str:
    """Say what was checked: the training data that are named, and those of MODEL's record.

    Data of the record are found at their own place, or moved: to one that is named, or to where
    what is evaluated on lies.

    Raises:
        SharedSourcesError: photographs of the data are in the training data; they are named.
        ValueError: the record is damaged, and no training data are named.
    """
    named = settings.train_data
    history, unknown = _history(settings)
    checks = [(named, settings.train_split)] if named else []
    found, lost = history.find((*named, *settings.data))
    checks += [(tuple(roots), split) for split, roots in found.items()]
    said = [_check(settings, roots, split) for roots, split in dict.fromkeys(checks)]
    of_record = (f"of the training data of {settings.judged / RECORD}, {why}" for why in lost)
    return " ".join([*said, *map(_unchecked, (*unknown, *of_record))])


def _history(settings: Settings) -> tuple[History, list[str]]:
    """What the model was trained on, and why that may not be all."""
    named = settings.train_data
    try:
        history = history_of(settings.judged)
    except ValueError as error:
        if not named:
            raise ValueError(f"{error}; name the data with --train-data") from error
        return History(), [str(error)]
    # Of a model without a record, what is named is taken to be all of it.
    if history.unknown is None or (named and not history.data):
        return history, []
    return history, [f"{history.unknown} has no {RECORD} that says what it was trained on"]


def _check(settings: Settings, roots: Sequence[str], split: str | None) -> str:
    refuse_shared(roots, settings.data, train_split=split, test_split=settings.split)
    used = f", split {split}" if split else ""
    return f"No photograph is in the training data ({', '.join(roots)}{used}), by content."


def _unchecked(why: str) -> str:
    return f"NOT checked whether photographs were trained on: {why}; name them with --train-data."
