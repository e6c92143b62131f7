"""Which data a restorer was trained on, as its own record says, and where they lie now."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from gends.jobs.training.inputs import source_of

RECORD = "training.json"
"""In the folder that a restorer's training ends with: which data and settings made the weights."""
SHARDS = "shards"
"""What `source_of` says of a dataset's bytes; the rest says which dataset it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
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

    data: tuple[Trained, ...] = ()
    unknown: str | None = None
    """A model that has no record and is, or was gone on from: it may have been trained on anything.
    """

    def then(self, data: Iterable[Trained]) -> History:
        """The same, and then trained on `data`."""
        return History(data=(*self.data, *data), unknown=self.unknown)

    def to_json(self) -> dict[str, Any]:
        """As a record has it."""
        return asdict(self)

    def find(self, places: Iterable[str]) -> tuple[dict[str | None, list[str]], list[str]]:
        """Where the data lie: at their own places, or moved to others.

        Args:
            places: roots that they may have been moved to.

        Returns:
            Split → roots, and what is not known of the data.
        """
        others = {place: _source(place) for place in places}
        found: dict[str | None, list[str]] = {}
        unknown: list[str] = []
        for trained in self.data:
            sources = {**others, trained.root: _source(trained.root)}
            roots = [place for place, source in sources.items() if trained.is_same(source)]
            whole = [place for place in roots if sources[place] == trained.source]
            if roots:
                found.setdefault(trained.split, []).append((whole or roots)[0])
            if not roots:
                unknown.append(f"{trained.root} is gone, or holds another dataset by now")
            elif not whole:
                unknown.append(f"the shards of {roots[0]} are not those that were trained on")
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
        facts = json.loads(record.read_text(encoding="utf-8"))["trained_on"]
        history = TypeAdapter(History).validate_python(facts)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{record}: damaged ({error!r})") from error
    if not history.data and history.unknown is None:
        raise ValueError(f"{record}: damaged (it names nothing that was trained on)")
    return history


def _source(root: str) -> Mapping[str, Any]:
    """What names a dataset; nothing where there is none."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        return source_of(root)
    return {}
