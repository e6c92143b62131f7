"""The plan: every random choice of a build, a pure function of catalog and configuration.

Nothing is stored and nothing is counted up: the requests of any shard can be worked out at any
time, on any machine, in any order, and come out the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from gends.histograms.profile import Profile
from gends.histograms.sampler import Draw
from gends.pipeline.photographs.catalog import Catalog
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.types import CleanImage, Crop, Request, View, WorkUnit

MOST_DRAWS = 100
"""Severities drawn for one request until one lies in the filter's window."""


def draw_seed(seed: int, *parts: str | int) -> int:
    """A seed below 2**63 from the build's seed and what the choice is for.

    Programs that read the JSON members (Hugging Face datasets for one) hold integers in 64 bits
    with a sign.
    """
    text = "\x00".join(map(str, (seed, *parts)))
    return int.from_bytes(blake3(text.encode()).digest(8), "big") >> 1


def count_shards(num_images: int, config: BuildConfig) -> int:
    """Shards of a catalog with that many photographs."""
    return -(-num_images // _images_per_shard(config))


def _images_per_shard(config: BuildConfig) -> int:
    per_image = min(config.per_image or len(config.degradations), len(config.degradations))
    return max(1, config.shard_size // (per_image * config.replicas))


class Plan:
    """Which pairs a build makes, and how they are grouped into units and shards."""

    def __init__(self, catalog: Catalog, config: BuildConfig, profile: Profile) -> None:
        """Bind a catalog, a configuration and a severity profile.

        Raises:
            ValueError: the profile lacks a degradation that the configuration asks for.
        """
        missing = set(config.degradations) - set(profile.degradations)
        if missing:
            raise ValueError(
                f"severity profile has no {', '.join(sorted(missing))}; it has "
                f"{', '.join(profile.degradations)}; fit one that does, or name fewer degradations"
            )
        self.catalog = catalog
        self.config = config
        self.profile = profile
        self.images_per_shard = _images_per_shard(config)
        self.images_per_unit = min(config.unit_images, self.images_per_shard)

    @property
    def num_shards(self) -> int:
        """Shards, the last one possibly shorter."""
        return count_shards(len(self.catalog), self.config)

    def num_units(self, shard: int) -> int:
        """Units of one shard."""
        start = shard * self.images_per_shard
        images = min(start + self.images_per_shard, len(self.catalog)) - start
        return -(-images // self.images_per_unit)

    def units(self, shard: int) -> Iterator[WorkUnit]:
        """The units of one shard, in order of key."""
        for index in range(self.num_units(shard)):
            yield self.unit(shard, index)

    def unit(self, shard: int, index: int) -> WorkUnit:
        """One unit by its place."""
        rows = self.catalog.rows(*self._rows(shard, index))
        views = (view for clean in rows for view in self.views(clean))
        return WorkUnit(shard=shard, index=index, views=tuple(views))

    def unit_sizes(self, shard: int) -> list[int]:
        """Requests of each unit of a shard."""
        return [self.count_requests(shard, index) for index in range(self.num_units(shard))]

    def count_requests(self, shard: int, index: int) -> int:
        """Requests of one unit, without drawing them."""
        return self._count(*self._rows(shard, index))

    def count_of_shard(self, shard: int) -> int:
        """Requests of one shard, without drawing them."""
        start = shard * self.images_per_shard
        return self._count(start, start + self.images_per_shard)

    def num_requests(self) -> int:
        """Requests of the whole plan."""
        return self._count(0, len(self.catalog))

    def _rows(self, shard: int, index: int) -> tuple[int, int]:
        start = shard * self.images_per_shard + index * self.images_per_unit
        return start, min(start + self.images_per_unit, (shard + 1) * self.images_per_shard)

    def _count(self, start: int, stop: int) -> int:
        return self.config.replicas * int(self._painted[start:stop].sum(dtype=np.int64))

    @cached_property
    def _painted(self) -> npt.NDArray[np.uint8]:
        """How many degradations each photograph gets: a byte for each."""
        known = np.array(self.config.degradations)
        parts = [
            len(known) - np.isin(np.array(own, dtype=str), known)
            for own in self.catalog.degradations()
        ]
        allowed = np.concatenate(parts)
        return np.minimum(allowed, self.config.per_image or len(known)).astype(np.uint8)

    def degradations(self, clean: CleanImage) -> tuple[str, ...]:
        """What is painted on a photograph: never what its own dataset is about."""
        allowed = [name for name in self.config.degradations if name != clean.degradation]
        wanted = self.config.per_image
        if wanted is None or wanted >= len(allowed):
            return tuple(allowed)
        rng = np.random.default_rng(draw_seed(self.config.seed, clean.source_id, "degradations"))
        chosen = rng.permutation(len(allowed))[:wanted]
        return tuple(allowed[i] for i in sorted(chosen))

    def views(self, clean: CleanImage) -> Iterator[View]:
        """The pictures cut from one photograph, with their requests."""
        replicas = range(self.config.replicas)
        names = self.degradations(clean)
        if not names:
            return
        groups = [[r] for r in replicas] if self.config.fit == "random" else [list(replicas)]
        for group in groups:
            requests = (self._request(clean, name, replica) for name in names for replica in group)
            yield View(
                clean=clean,
                crop=self._crop(clean, group[0]) if self.config.fit == "random" else None,
                requests=tuple(requests),
            )

    def _crop(self, clean: CleanImage, replica: int) -> Crop:
        rng = np.random.default_rng(draw_seed(self.config.seed, clean.source_id, "crop", replica))
        zoom, x, y = rng.random(3).tolist()
        return Crop(zoom=zoom, x=x, y=y)

    def _request(self, clean: CleanImage, degradation: str, replica: int) -> Request:
        place = (clean.source_id, degradation, replica)
        rng = np.random.default_rng(draw_seed(self.config.seed, *place, "severity"))
        severity = self._severity(degradation, rng)
        attempts = range(1 + self.config.redraws)
        return Request(
            key=f"{clean.source_id}-{degradation}-{replica}",
            degradation=degradation,
            mu=severity.mu,
            sigma=severity.sigma,
            severity_dataset=severity.dataset,
            random_sampled=severity.random_sampled,
            seeds=tuple(draw_seed(self.config.seed, *place, attempt) for attempt in attempts),
        )

    def _severity(self, degradation: str, rng: np.random.Generator) -> Draw:
        """A severity that the filter can accept, unless the profile has next to none."""
        bounds = self.config.filter
        for _ in range(MOST_DRAWS):
            severity = self.profile.draw(degradation, rng, self.config.uniform_share)
            if bounds.mu_min <= severity.mu <= bounds.mu_max:
                break
        return severity
