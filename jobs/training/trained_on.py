"""Which data a restorer was trained on, as its own record says, and where they lie now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from gends.jobs.training.inputs import source_of
from gends.pipeline.format.identity import IDENTITY_NAME
from gends.pipeline.storage.opening import open_store

RECORD = "training.json"
"""In the folder that a restorer's training ends with: which data and settings made the weights."""
SHARDS = "shards"
"""What `source_of` says of a dataset's bytes; the rest says which dataset it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """A dataset that was trained on."""

    root: str
    split: str | None
    source: dict[str, Any]
    """What `source_of` said of it."""

    def is_same(self, source: Mapping[str, Any]) -> bool:
        """Whether what has this source is that dataset, with whatever shards by now."""
        return {**source, SHARDS: None} == {**self.source, SHARDS: None}


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a restorer was trained on, from its first weights on."""

    data: tuple[TrainingData, ...] = ()
    unknown: str | None = None
    """A model that has no record and is, or was gone on from: it may have been trained on anything.
    """

    @property
    def gap(self) -> str | None:
        """What is not known of it, in words."""
        if self.unknown is None:
            return None
        return f"{self.unknown} has no {RECORD} that says what it was trained on"

    def beside(self, other: History) -> History:
        """What either was trained on."""
        return History(
            data=(*self.data, *(data for data in other.data if data not in self.data)),
            unknown=self.unknown or other.unknown,
        )

    def then(self, data: Iterable[TrainingData]) -> History:
        """The same, and then trained on `data`."""
        return History(data=(*self.data, *data), unknown=self.unknown)

    def to_json(self) -> dict[str, Any]:
        """As a record has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> History:
        """The inverse of `to_json`.

        Raises:
            ValueError, TypeError: these facts are of no history, or lack something.
        """
        history = TypeAdapter(cls).validate_python(facts)
        _check(history, facts)
        return history

    def find(self, places: Iterable[str]) -> tuple[dict[str | None, list[str]], list[str]]:
        """Where the data lie: at their own places, or moved to others.

        Args:
            places: roots that they may have been moved to.

        Returns:
            Split → roots, and what is not known of the data.
        """
        found: dict[str | None, list[str]] = {}
        unknown: list[str] = []
        look = cache(_look)  # it reads every manifest
        others = tuple(places)
        for trained in self.data:
            where = dict.fromkeys((trained.root, *others))
            whole = next((place for place in where if look(place)[0] == trained.source), None)
            if whole is not None:
                found.setdefault(trained.split, []).append(whole)
            elif roots := [place for place in where if trained.is_same(look(place)[0])]:
                found.setdefault(trained.split, []).extend(roots)
                names = ", ".join(roots)
                unknown.append(f"the shards of {names} are not those that were trained on")
            else:
                why = look(trained.root)[1]
                unknown.append(why or f"{trained.root} holds another dataset by now")
        return found, unknown


def history_of(model: Path) -> History:
    """What the record in a restorer's folder says; unknown if there is none, or it is a mere file.

    Raises:
        ValueError: the record is damaged.
    """
    record = model / RECORD
    if not record.exists():
        return History(unknown=str(model))
    try:
        return History.from_json(json.loads(record.read_text(encoding="utf-8"))["trained_on"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{record}: damaged ({error!r})") from error


def _check(history: History, facts: Mapping[str, Any]) -> None:
    if "unknown" not in facts or not all(
        isinstance(data.source.get(SHARDS), str) for data in history.data
    ):
        raise ValueError("it does not name all that it has to")
    if not history.data and history.unknown is None:
        raise ValueError("it names nothing that was trained on")


def _look(root: str) -> tuple[Mapping[str, Any], str | None]:
    """What names a dataset, or why there is none to be read."""
    try:
        if not open_store(root).exists(IDENTITY_NAME):
            return {}, f"{root} is not there any more"
        return source_of(root), None
    except (OSError, ValueError, KeyError) as error:
        return {}, f"{root} cannot be read ({error})"
