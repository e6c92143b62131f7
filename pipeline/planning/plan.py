"""The plan: every random choice of a build, a pure function of catalog and configuration.

Nothing is stored and nothing is counted up: the requests of any shard can be worked out at any
time, on any machine, in any order, and come out the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from gends.histograms.profile import Profile
from gends.models.degradations import DEGRADATIONS
from gends.pipeline.photographs.catalog import Catalog
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.planning.counts import PairCounts
from gends.pipeline.planning.mixture import MixtureConfig, engine_of
from gends.pipeline.planning.recipe import Place, RecipeDrawer
from gends.pipeline.seeds import draw_seed
from gends.pipeline.types import CleanImage, Crop, Move, Request, View, WorkUnit

MOST_OF_UNIT = 256
"""Pairs of a unit, beside which no second photograph is put into it."""


class Plan:
    """Which pairs a build makes, and how they are grouped into units and shards."""

    def __init__(self, catalog: Catalog, config: BuildConfig, profile: Profile) -> None:
        """Bind a catalog, a configuration and a severity profile.

        Raises:
            ValueError: the profile lacks a degradation that the model is to paint, or photographs
                do not allow a mixture.
        """
        self.catalog = catalog
        self.config = config
        self.profile = profile
        self._check_profile()
        self.images_per_shard = max(1, config.shard_size // self.counts.most)
        most = max(1, MOST_OF_UNIT // self.counts.most)
        self.images_per_unit = min(config.unit_images, self.images_per_shard, most)
        self._drawer = RecipeDrawer(config, profile)

    @cached_property
    def counts(self) -> PairCounts:
        """How many pairs of each photograph."""
        return PairCounts(self.catalog, self.config)

    def _check_profile(self) -> None:
        """The model, and the engine that stands in for it, are told severities and no strengths."""
        painted = {
            template.op
            for mixture in self.config.wanted
            for template in mixture.parsed.templates
            if engine_of(template, self.config.engine) != "parametric"
            or (not self.config.mixtures and template.op in DEGRADATIONS)
            if not {"mu", "sigma"} <= set(template.values)
        }
        missing = painted - set(self.profile.degradations)
        if missing:
            raise ValueError(
                f"severity profile has no {', '.join(sorted(missing))}; it has "
                f"{', '.join(self.profile.degradations)}; fit one that does, or name fewer "
                "degradations"
            )

    @property
    def num_shards(self) -> int:
        """Shards, the last one possibly shorter."""
        return -(-len(self.catalog) // self.images_per_shard)

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
        start, stop = self._rows(shard, index)
        rows = enumerate(self.catalog.rows(start, stop), start)
        views = (view for number, clean in rows for view in self.views(number, clean))
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
        return int(self.counts.totals[start:stop].sum())

    def labels(self, number: int, clean: CleanImage) -> Counter[str]:
        """How many pairs of each label one photograph gets, by its row in the catalog."""
        return Counter({one.name: count for one, count in self.counts.of(number, clean)})

    def views(self, number: int, clean: CleanImage) -> Iterator[View]:
        """The pictures cut from one photograph, by its row in the catalog, with their requests."""
        groups: dict[tuple[Crop | None, Move | None], list[Request]] = {}
        for mixture, count in self.counts.of(number, clean):
            first = self.counts.start(mixture, number)
            for replica in range(count):
                place = Place(clean.source_id, mixture.name, replica)
                request = self._request(mixture, place, first + replica)
                cut = self._cut(mixture, place)
                groups.setdefault(cut, []).append(request)
        for (crop, move), requests in groups.items():
            yield View(clean=clean, crop=crop, move=move, requests=tuple(requests))

    def _cut(self, mixture: MixtureConfig, place: Place) -> tuple[Crop | None, Move | None]:
        """How the picture of one pair is cut and moved."""
        source, fit, replica = place.source_id, self.config.fit, place.replica
        if mixture.pairs is None or not replica:
            return (self._crop(source, "crop", replica) if fit == "random" else None), None
        crop = self._crop(source, "view", replica) if fit in ("center", "random") else None
        rng = np.random.default_rng(draw_seed(self.config.seed, source, "moves"))
        # All eight ways of a square come up before any comes again, as it is last.
        ways = [*(rng.permutation(7) + 1).tolist(), 0]
        flip, turns = divmod(ways[(replica - 1) % 8], 4)
        return crop, Move(flip=bool(flip), turns=turns)

    def _crop(self, *what: str | int) -> Crop:
        rng = np.random.default_rng(draw_seed(self.config.seed, *what))
        zoom, x, y = rng.random(3).tolist()
        return Crop(zoom=zoom, x=x, y=y)

    def _request(self, mixture: MixtureConfig, place: Place, ordinal: int) -> Request:
        regions, recipes = self._drawer.recipes(mixture, place, ordinal)
        attempts = range(1 + self.config.redraws)
        return Request(
            key="-".join(map(str, place)),
            degradation=mixture.name,
            recipes=recipes,
            regions=regions,
            seeds=tuple(draw_seed(self.config.seed, *place, attempt) for attempt in attempts),
        )
