"""Datasets of mixtures, made by any engines in this process, without Ray."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from gends.histograms.profile import Profile
from gends.jobs.building.engines import fingerprint
from gends.models.degrader import Degrader
from gends.models.parametric.engine import ParametricDegrader
from gends.models.processor import with_processor
from gends.pipeline.format.identity import write_identity
from gends.pipeline.keeping.commit import seal, write_unit
from gends.pipeline.keeping.dataset import Dataset, make_identity, open_dataset
from gends.pipeline.keeping.parts import CATALOG_NAME, PROFILE_NAME
from gends.pipeline.keeping.reopened import close
from gends.pipeline.making.carry_out import Engines, Pair
from gends.pipeline.making.judge import Judge, Verdict
from gends.pipeline.making.load import load_views
from gends.pipeline.making.unit import make_unit
from gends.pipeline.photographs.catalog import Catalog, write_catalog
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.planning.plan import Plan
from gends.pipeline.sources.source import base_folder, read_source
from gends.pipeline.storage.opening import open_store
from gends.pipeline.types import Request

SMALL: dict[str, Any] = {
    "engine": "parametric",
    "resolution": 64,
    "shard_size": 24,
    "unit_images": 2,
    "seed": 3,
    "filter": {"mu_max": 0.95, "mu_min": 0, "structure_min": -1},
}


class Moody:
    """A judge that rejects every third pair once, and every fifth twice, whatever they are."""

    def __init__(self, config: BuildConfig) -> None:
        self.judge = Judge(config.filter)
        self.seen: Counter[str] = Counter()

    def __call__(self, request: Request, pair: Pair) -> Verdict:
        verdict = self.judge(request, pair)
        number = list(self.seen).index(request.key) if request.key in self.seen else len(self.seen)
        self.seen[request.key] += 1
        times = (number % 3 == 0) + (number % 5 == 0)
        return replace(verdict, reason="mu_low") if self.seen[request.key] <= times else verdict


def build_recipes(
    source: Path,
    root: Path,
    engines: dict[str, Degrader] | None = None,
    *,
    moody: bool = False,
    **settings: Any,
) -> Dataset:
    """A finished dataset under `root`, with the identity that the real command gives it.

    With `moody`, pairs are drawn again that need not be.
    """
    config = BuildConfig.model_validate(SMALL | settings)
    if engines is None:
        engines = {"parametric": ParametricDegrader(candidates=config.generator.candidates)}
    dataset = _found(source, root, config, engines)
    for shard in range(dataset.plan.num_shards):
        make_shard(dataset, shard, engines, Moody(config) if moody else Judge(config.filter))
    return dataset


def make_shard(dataset: Dataset, shard: int, engines: Engines, judge: Judge | Moody) -> None:
    """Make and seal one shard."""
    for unit in dataset.plan.units(shard):
        loaded = load_views(unit.views, dataset.base, dataset.config)
        rows = make_unit(unit, loaded, engines, cast(Judge, judge), dataset.config)
        write_unit(dataset.store, shard, unit.index, rows)
    sizes = dataset.plan.unit_sizes(shard)
    seal(dataset.store, shard, sizes, dataset.config, dataset.config_digest)
    close(dataset.store, shard, lambda: None)


def _found(source: Path, root: Path, config: BuildConfig, engines: Engines) -> Dataset:
    root.mkdir(parents=True)
    base = base_folder(source)
    write_catalog(
        read_source(source),
        root / CATALOG_NAME,
        base=base,
        default_dataset="photos",
        dedupe=config.dedupe,
        limit=config.limit,
    )
    profile = Profile.reference()
    profile.save(root / PROFILE_NAME)
    plan = Plan(Catalog(root / CATALOG_NAME), config, profile)
    engine = with_processor(fingerprint(engines), torch=False)
    write_identity(open_store(root), make_identity(plan, engine, base))
    return open_dataset(root)
