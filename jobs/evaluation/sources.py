"""Whether what is evaluated on was trained on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gends.jobs.evaluation.settings import Settings
from gends.jobs.training.inputs import source_of
from gends.jobs.training.restorer_result import FACTS
from gends.pipeline.disjoint import refuse_shared


@dataclass(frozen=True, slots=True)
class _Trained:
    """A dataset that a model's record says it was trained on."""

    root: str
    split: str | None
    source: dict[str, Any]


def check_sources(settings: Settings) -> str:
    """Say what was checked: the training data that are named, and those of MODEL's record.

    Data of the record count only where they still are what was trained on, at their own place or
    at one that is named.

    Raises:
        SharedSourcesError: photographs of the data are in the training data; they are named.
        ValueError: the record is damaged, and no training data are named.
    """
    named, record = settings.train_data, settings.judged / FACTS
    checks = [(named, settings.train_split)] if named else []
    unchecked: list[str] = []
    try:
        trained = list(_recorded(record)) if record.exists() else []
    except (ValueError, KeyError, TypeError) as error:
        why = f"{record}: damaged ({error!r})"
        if not named:
            raise ValueError(f"{why}; name the data with --train-data") from error
        trained, unchecked = [], [_unchecked(why)]
    if not trained and not named:
        return _unchecked(f"{settings.judged} has no {FACTS} that says what it was trained on")
    found: list[str] = []
    source = cache(source_of)  # it reads every manifest
    for data in trained:
        try:
            found.append(_found(data, named, source))
        except (OSError, ValueError, KeyError) as error:
            why = f"the training data of {record} are not there any more ({error})"
            unchecked.append(_unchecked(why))
    if found:
        checks.append((tuple(found), trained[0].split))
    said = [_check(settings, roots, split) for roots, split in dict.fromkeys(checks)]
    return " ".join([*said, *unchecked])


def _check(settings: Settings, roots: Sequence[str], split: str | None) -> str:
    refuse_shared(roots, settings.data, train_split=split, test_split=settings.split)
    used = f", split {split}" if split else ""
    return f"No photograph is in the training data ({', '.join(roots)}{used}), by content."


def _unchecked(why: str) -> str:
    return f"NOT checked whether photographs were trained on: {why}; name them with --train-data."


def _found(data: _Trained, named: Sequence[str], source: Callable[[str], dict[str, Any]]) -> str:
    """Where what was trained on lies: at its own place, or moved to one that is named.

    Raises:
        ValueError: at neither; what the record names was changed since.
        OSError: the same, and it is gone.
    """
    for root in named:
        if source(root) == data.source:
            return root
    if source(data.root) != data.source:
        raise ValueError(f"{data.root} is another dataset, or was changed, since the training")
    return data.root


def _recorded(record: Path) -> Iterator[_Trained]:
    facts = json.loads(record.read_text(encoding="utf-8"))
    train, sources = facts["train"], facts["run"]["data"]
    for number, root in enumerate(train["roots"]):
        yield _Trained(str(root), train["split"], sources[str(number)])
