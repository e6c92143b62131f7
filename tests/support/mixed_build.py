"""A dataset of mixtures with all that a build stores beside pairs, of pictures of several sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image as Pillow

from gends.models.degrader import Image
from gends.models.dry import DryDegrader
from gends.models.parametric.engine import ParametricDegrader
from gends.pipeline.keeping.commit import write_unit
from gends.pipeline.keeping.dataset import Dataset
from gends.pipeline.making.judge import Judge
from gends.pipeline.making.load import load_views
from gends.pipeline.making.unit import make_unit

SIZES = ((96, 80), (80, 96), (120, 90), (96, 80))
MIXTURES = [
    {"name": "raindrop", "steps": ["raindrop"]},
    {"name": "weather", "steps": ["rain", "raindrop", {"op": "noise", "sigma": 25}]},
    {"name": "regions", "steps": {"one_of": ["haze", "low_light"]}, "regions": {"count": 2}},
]
MEMBERS = ("mask", "bits", "ground")


def build_mixed(
    folder: Path,
    photographs: dict[str, Image],
    found: Callable[..., Dataset],
    seal: Callable[[Dataset, int], None],
    members: Sequence[str] = MEMBERS,
) -> Dataset:
    """Build it under a folder: every photograph with every mixture, 2 photographs to a shard."""
    photos = folder / "photos"
    photos.mkdir()
    for (name, pixels), size in zip(photographs.items(), SIZES, strict=False):
        Pillow.fromarray(pixels).resize(size).save(photos / f"{name}.png")
    dataset = found(
        photos,
        folder / "root",
        engine="parametric",
        mixtures=MIXTURES,
        members=list(members),
        fit="native",
        shard_size=6,
        filter={"mu_max": 0.9, "mu_min": 0, "structure_min": -1},
    )
    engines = {"parametric": ParametricDegrader(candidates=1), "gendeg": DryDegrader()}
    judge = Judge(dataset.config.filter)
    for shard in range(dataset.plan.num_shards):
        for unit in dataset.plan.units(shard):
            loaded = load_views(unit.views, dataset.base, dataset.config)
            rows = make_unit(unit, loaded, engines, judge, dataset.config)
            write_unit(dataset.store, unit.shard, unit.index, rows)
        seal(dataset, shard)
    return dataset
