"""What a training of a restorer is asked for; every rank gets a copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gends.jobs.training.trained_on import History
from gends.models.restorers.hyperparameters import Hyperparameters
from gends.reading.augment import Augment

Mix = Literal["gends"] | tuple[float, ...] | None
"""How several roots are mixed, see `gends.PairStream`; None shuffles all their pairs together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Which pairs are trained on."""

    roots: tuple[str, ...]
    """Datasets whose manifests say of which origin each pair is."""
    original: tuple[str, ...] = ()
    """Datasets all of whose pairs count as original."""
    mix: Mix = None
    length: int | None = None
    """Pairs to an epoch, of a mix."""
    split: str | None = "train"
    degradations: tuple[str, ...] | None = None

    @property
    def all_roots(self) -> tuple[str, ...]:
        """In the order that weights of a mix are given in."""
        return self.roots + self.original

    def named_roots(self) -> list[str] | dict[str, Sequence[str]]:
        """As readers take them: by origin where some count as original."""
        if not self.original:
            return list(self.roots)
        generated = {"generated": self.roots} if self.roots else {}
        return {**generated, "original": self.original}

    def selection(self) -> dict[str, Any]:
        """What selects among the pairs of the roots, as readers take it."""
        return {"split": self.split, "degradations": self.degradations}


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """Which pairs the averaged weights are judged on, and how often."""

    roots: tuple[str, ...]
    split: str | None
    most: int
    """Pairs at most, spread evenly over the degradations' rows."""
    every: int
    """Steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorerSettings:
    """All that a training of a restorer is asked for."""

    folder: Path
    arch: str
    preset: str
    pretrained: bool
    """Whether the encoder begins with ImageNet weights."""
    model: Path | None
    """Folder or file whose weights it begins with; None draws them."""
    history: History
    """What the weights of `model` were trained on."""
    hyperparameters: Hyperparameters
    """Its batches are those of one step over all ranks."""
    data: Data
    validation: Validation | None
    seed: int
    bf16: bool
    checkpoint_every: int
    sample_every: int
    report_every: int
    loader_workers: int
    threads: int
    """CPU threads of each rank."""
    log_keys: bool

    @property
    def result(self) -> Path:
        """Folder of the trained restorer."""
        return self.folder / "result"

    @property
    def augment(self) -> Augment:
        """What becomes of a pair that is trained on."""
        chosen = self.hyperparameters
        return Augment(crop=chosen.crop, flip=chosen.flips, rotate=chosen.rotations)
