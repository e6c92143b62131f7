"""Whether what is evaluated on was trained on."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow.compute as pc

from gends.jobs.evaluation.judged import Judged
from gends.jobs.evaluation.settings import Settings
from gends.jobs.training.trained_on import History
from gends.pipeline.reading.disjoint import refuse_shared
from gends.pipeline.reading.reader import read_manifest
from gends.reading.rows import check_known


def check_sources(settings: Settings, judged: Judged) -> str:
    """Say what was checked: the training data that are named, and those of what is judged.

    Data that a record names are found at their own place, or moved: to one that is named, or to
    where what is evaluated on lies.

    Raises:
        SharedSourcesError: photographs of the data are in the training data; they are named.
        ValueError: the record is damaged, and no training data are named; or those that are have
            no pair of the split that is.
    """
    named = settings.train_data
    _check_split(named, settings.train_split)
    history, unknown = _history(settings, judged)
    checks = [(named, settings.train_split)] if named else []
    found, lost = history.find((*named, *settings.data))
    checks += [(tuple(roots), split) for split, roots in found.items()]
    said = [_check(settings, roots, split) for roots, split in dict.fromkeys(checks)]
    of_record = (f"of the training data of {settings.judged}, {why}" for why in lost)
    return " ".join([*said, *map(_unchecked, (*unknown, *of_record))])


def _history(settings: Settings, judged: Judged) -> tuple[History, list[str]]:
    """What it was trained on, and why that may not be all."""
    named = settings.train_data
    try:
        history = judged.history()
    except ValueError as error:
        if not named:
            raise ValueError(f"{error}; name the data with --train-data") from error
        return History(), [str(error)]
    # Of a model without a record, what is named is taken to be all of it.
    if history.gap is None or (named and not history.data):
        return history, []
    return history, [history.gap]


def _check_split(roots: Sequence[str], split: str | None) -> None:
    for root in roots if split is not None else ():
        known = pc.unique(read_manifest(root, columns=["key", "split"])["split"]).to_pylist()
        check_known(root, "split", split, known)


def _check(settings: Settings, roots: Sequence[str], split: str | None) -> str:
    refuse_shared(roots, settings.data, train_split=split, test_split=settings.split)
    used = f", split {split}" if split else ""
    return f"No photograph is in the training data ({', '.join(roots)}{used}), by content."


def _unchecked(why: str) -> str:
    return f"NOT checked whether photographs were trained on: {why}; name them with --train-data."
