"""What flows through the pipeline: a catalog row becomes views and requests, grouped into units."""

from __future__ import annotations

from dataclasses import dataclass, field

from gends.models.degrader import Image, Instruction
from gends.pictures.formats import SUFFIXES

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
class Request:
    """One pair to be made. Everything random about it was drawn when it was planned."""

    key: str
    degradation: str
    mu: float
    sigma: float
    severity_dataset: str
    random_sampled: bool
    seeds: tuple[int, ...]
    """Noise seed of each attempt: the first, then one for every redraw that is allowed."""

    def instruction(self, attempt: int, caption: str | None) -> Instruction:
        """What the engine is told on the given attempt (0 is the first)."""
        return Instruction(
            degradation=self.degradation,
            mu=self.mu,
            sigma=self.sigma,
            seed=self.seeds[attempt],
            caption=caption,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One clean picture cut from a photograph, and all requests that start from it."""

    clean: CleanImage
    crop: Crop | None
    """None: the whole photograph, cut or squashed to a square as configured."""
    requests: tuple[Request, ...]


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
