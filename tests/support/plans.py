"""Plans for catalogs of photographs that are nowhere: nothing of a plan looks at a picture."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from gends.histograms.profile import Profile
from gends.pipeline.photographs.catalog import Catalog, write_catalog
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.planning.plan import Plan
from gends.pipeline.sources.source import SourceRow
from gends.pipeline.types import Request, View

PROFILE = Profile.reference()
OWN = (None, "haze", None, "snow")
"""What the images' own datasets are about, in turn."""


def plan_of(rows: Sequence[SourceRow], base: Path | None = None, **settings: object) -> Plan:
    """The plan of a build from these photographs; those in `base` are looked through for copies."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.parquet"
        write_catalog(
            iter(rows),
            path,
            base=base or path.parent,
            default_dataset="d",
            dedupe=base is not None,
        )
        return Plan(Catalog(path), BuildConfig.model_validate(settings), PROFILE)


def make_plan(count: int, own: Sequence[str | None] = OWN, **settings: object) -> Plan:
    """The plan of a build from `count` photographs, called s000, s001, …"""
    rows = [
        SourceRow(uri=f"{i}.png", source_id=f"s{i:03d}", degradation=own[i % len(own)])
        for i in range(count)
    ]
    return plan_of(rows, **settings)


def all_views(plan: Plan) -> list[View]:
    """Every view of a plan."""
    shards = range(plan.num_shards)
    return [v for shard in shards for unit in plan.units(shard) for v in unit.views]


def all_requests(plan: Plan) -> list[Request]:
    """Every request of a plan."""
    return [request for view in all_views(plan) for request in view.requests]
