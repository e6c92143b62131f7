"""What flows through the pipeline: a catalog row becomes views and requests, grouped into units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gends.models.degrader import Image, Instruction
from gends.models.regions import RegionMap
from gends.pictures.formats import SUFFIXES
from gends.pipeline.seeds import draw_seed

IMAGE_SUFFIXES = SUFFIXES
"""Files that end so are taken for photographs."""
MOST_TEXT = 1 << 20
"""Bytes of a caption or of the facts about a photograph."""
MOST_PATH, MOST_TEXT_OF_ROW = 4096, 1 << 14
"""Characters of a photograph's path, and of anything else that a catalog says of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One photograph as its source describes it."""

    uri: str
    """Path of the file, safe to print; `TAR!MEMBER` in a tar shard."""
    source_id: str | None = None
    dataset: str | None = None
    degradation: str | None = None
    caption: str | None = None
    split: str | None = None
    offset: int | None = None
    size: int | None = None
    problem: str | None = None
    """Why the photograph cannot be used, found while it was listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanImage:
    """One row of the catalog: a photograph that may be degraded."""

    source_id: str
    """Stable name, letters, digits and underscores only: it opens every key made from the image."""
    uri: str
    """Path of the file, relative to the catalog's base unless absolute."""
    dataset: str
    degradation: str | None = None
    """What the image's own dataset is about; this degradation is not painted on it again."""
    caption: str | None = None
    split: str = "train"
    offset: int | None = None
    """Start of the image inside a tar shard; None when the file itself is the image."""
    size: int | None = None
    """Bytes of the encoded image; None where they could not be asked for."""
    duplicate_of: str | None = None
    """uri of an earlier image with the same bytes; its own where it is listed again."""
    problem: str | None = None
    """Why the photograph cannot be used, found while it was listed."""
    ends_blake3: str | None = None
    """Checksum of its ends, see `encoded.ends_digest`; None where they could not be read."""
    written_ns: int | None = field(default=None, compare=False)
    """When its file, or the tar that holds it, was last written to: nanoseconds as its disk has it.

    No part of the catalog's digest, as photographs may be copied elsewhere.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """A square window, drawn without knowing the photograph's size: three numbers in [0, 1]."""

    zoom: float
    """0 is the smallest window (the resolution itself), 1 the largest (the short side)."""
    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """How a picture is mirrored and turned after it was cut."""

    flip: bool
    """Left and right change places, before the turn."""
    turns: int
    """Quarter turns against the clock, 0 to 3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a recipe as it was planned: an operation, or a kind that the model paints."""

    op: str
    engine: str
    mu: float | None = None
    """Wanted mean of |output - input| of the step; None where a strength is given."""
    sigma: float | None = None
    severity_dataset: str | None = None
    """Whose severities mu and sigma were drawn from."""
    random_sampled: bool | None = None
    """Whether they were drawn evenly over all that the profile has."""
    strength: float | None = None
    """Of an operation, in [0, 1]."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Of an operation: those that the configuration gives; the others follow from the seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One pair to be made. Everything random about it was drawn when it was planned."""

    key: str
    degradation: str
    """Label of the pair: the name of its mixture."""
    recipes: tuple[tuple[Step, ...], ...]
    """The steps of each region, in order; most often there is one region, the whole picture."""
    seeds: tuple[int, ...]
    """Noise seed of each attempt: the first, then one for every redraw that is allowed."""
    regions: RegionMap | None = None
    """Which recipe is where; None: there is one, and it is everywhere."""

    @property
    def only_step(self) -> Step | None:
        """The step of a pair that has no other, and no regions."""
        single = self.regions is None and len(self.recipes[0]) == 1
        return self.recipes[0][0] if single else None

    @property
    def engine(self) -> str:
        """Names of the engines that take part, in order, with + between them."""
        names = (step.engine for steps in self.recipes for step in steps)
        return "+".join(dict.fromkeys(names)) or "none"

    @property
    def steps(self) -> str:
        """Names of the steps in order, with + between them and | between regions."""
        return "|".join("+".join(step.op for step in steps) for steps in self.recipes)

    def step_seed(self, attempt: int, region: int, number: int) -> int:
        """Seed of one step on the given attempt (0 is the first)."""
        seed = self.seeds[attempt]
        return seed if (region, number) == (0, 0) else draw_seed(seed, "step", region, number)

    def instruction(
        self, attempt: int, region: int, number: int, caption: str | None
    ) -> Instruction:
        """What the engine of one step is told on the given attempt."""
        step = self.recipes[region][number]
        return Instruction(
            degradation=step.op,
            mu=step.mu,
            sigma=step.sigma,
            seed=self.step_seed(attempt, region, number),
            caption=caption,
            strength=step.strength,
            parameters=step.parameters,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One clean picture cut from a photograph, and all requests that start from it."""

    clean: CleanImage
    crop: Crop | None
    """None: the whole photograph, cut or squashed to a square as configured."""
    requests: tuple[Request, ...]
    move: Move | None = None
    """None: neither mirrored nor turned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkUnit:
    """The views of a few photographs: the unit of work, of retry and of durability."""

    shard: int
    index: int
    """Position inside the shard, from 0."""
    views: tuple[View, ...]
    kept: frozenset[str] = frozenset()
    """Keys of the unit whose rows were kept; the rest is missing (`pipeline/keeping/retry.py`)."""

    @property
    def num_requests(self) -> int:
        """Requests in all views."""
        return sum(len(view.requests) for view in self.views)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A view that was loaded."""

    pixels: Image
    blake3: str
    """Of the encoded file it came from."""
    rewritten: bool = False
    """Whether that file was written to after it was listed."""


CATALOG_REASONS = ("bad_source", "duplicate")
"""Codes of failures that stand in the catalog: they hold as long as a dataset keeps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a photograph or a request could not be served."""

    code: str
    """Short and countable: bad_source, unreadable, undecodable, too_small, duplicate, …"""
    detail: str
    blake3: str | None = None
