"""Which data a restorer was trained on, as its own record says, and where they lie now."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gends.jobs.training.inputs import source_of

RECORD = "training.json"
"""In the folder that a restorer's training ends with: which data and settings made the weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A dataset that was trained on."""

    root: str
    split: str | None
    source: Mapping[str, Any]
    """What `source_of` said of it."""

    def find(
        self,
        named: Iterable[str] = (),
        source: Callable[[str], Mapping[str, Any]] = source_of,
    ) -> str:
        """Where it lies: at its own place, or moved to one of those that are named.

        Raises:
            ValueError: at none of them; what lies at its own place is something else.
            OSError: the same, and nothing lies there.
        """
        for root in named:
            if source(root) == self.source:
                return root
        if source(self.root) != self.source:
            raise ValueError(f"{self.root} is another dataset, or was changed, since the training")
        return self.root


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

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> History:
        """Raises KeyError or TypeError for what no record has."""
        data = tuple(Trained(**trained) for trained in facts["data"])
        return cls(data=data, unknown=facts["unknown"])


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
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{record}: damaged ({error!r})") from error
