"""Make stored pairs again, to the byte."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from gends.models.degrader import Image
from gends.models.parametric.depth.estimator import PROCEDURAL
from gends.models.parametric.engine import ParametricDegrader, check_version
from gends.models.processor import with_processor
from gends.pipeline.format.decode import decode
from gends.pipeline.format.identity import read_identity
from gends.pipeline.format.manifest import Row
from gends.pipeline.format.recipe import Recipe
from gends.pipeline.keeping.dataset import Dataset
from gends.pipeline.making.carry_out import Engines
from gends.pipeline.making.load import load_views
from gends.pipeline.making.replay import carry_out_again
from gends.pipeline.making.unit import Batch, make_batch
from gends.pipeline.reading.reader import read_manifest
from gends.pipeline.types import Failure, WorkUnit

SETTINGS = ("candidates", "tries", "variants", "engine")
"""Of the engine's fingerprint: what matters where parameters are drawn, and not to a recipe."""


def find_row(dataset: Dataset, key: str) -> Row:
    """The manifest row of a pair.

    Raises:
        ValueError: no sealed shard has it.
    """
    for shard in _likely(dataset, key):
        for row in read_manifest(dataset.store.url, status=None, shards=[shard]).to_pylist():
            if row["key"] == key:
                found: Row = row
                return found
    raise ValueError(
        f"{dataset.store.url}: no pair {key!r}; keys are SOURCE-LABEL-NUMBER, see the manifests"
    )


def remake(dataset: Dataset, row: Row, engines: Engines) -> Image:
    """The degraded picture of a pair, uint8 (H, W, 3), made again from its photograph.

    A pair of operations alone follows from its recipe. Where a model took part, its whole batch is
    made again, as last bits depend on what is painted together.

    Raises:
        ValueError: the pair failed, its photograph cannot be read any more, or a step was made by
            another version of an operation.
    """
    if row["recipe"] is None:
        raise ValueError(f"{row['key']} was not made: {row['reason']}: {row['detail']}")
    unit, recipe = _unit(dataset, row), Recipe.from_json(row["recipe"])
    for step in recipe.steps:
        if step["engine"] == "parametric":
            check_version(step)
    if set(recipe.engines) <= {"parametric"}:
        unit = _alone(unit, row["key"])
    loaded = load_views(unit.views, dataset.base, dataset.config)
    rows = read_manifest(dataset.store.url, status=None, shards=[row["shard"]]).to_pylist()
    batch = _batch(unit, rows, row["attempt"])
    for index, (_, request) in enumerate(batch.requests):
        if request.key == row["key"]:
            picture = loaded[batch.requests[index][0]]
            if isinstance(picture, Failure):
                raise ValueError(f"{row['key']}: {picture.code}: {picture.detail}")
            return make_batch(engines, unit, loaded, batch, dataset.config)[index].lq
    raise ValueError(f"{row['key']} is not in the plan: run gends-build verify")


def clean_picture(dataset: Dataset, row: Row) -> Image:
    """The picture that a pair was made from, uint8 (H, W, 3), cut anew from its photograph.

    Raises:
        ValueError: the photograph cannot be read.
    """
    (view,) = _alone(_unit(dataset, row), row["key"]).views
    (picture,) = load_views([view], dataset.base, dataset.config)
    if isinstance(picture, Failure):
        raise ValueError(f"{row['key']}: {picture.code}: {picture.detail}")
    return picture.pixels


def replay_problem(row: Row, images: dict[str, bytes]) -> str | None:
    """What is wrong with a pair of operations alone whose recipe is carried out on its gt."""
    recipe = Recipe.from_json(row["recipe"])
    if not set(recipe.engines) <= {"parametric"}:
        return None  # a model is needed, and all that it painted beside
    if any(step.get("depth", PROCEDURAL) != PROCEDURAL for step in recipe.steps):
        return None
    try:
        again = carry_out_again(recipe, decode(images["gt"]), {"parametric": ParametricDegrader()})
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return f": its recipe cannot be carried out: {error}"
    if np.array_equal(again, decode(images["lq"])):
        return None
    return ".lq is not what its recipe makes of .gt"


def why_not_replayed(dataset: Dataset) -> str | None:
    """Why recipes cannot be carried out here to the same bytes; None where they can."""
    here = with_processor(ParametricDegrader().fingerprint(), torch=False)
    here = {name: value for name, value in here.items() if name not in SETTINGS}
    engine = read_identity(dataset.store)["engine"] or {}
    if dataset.config.image_format == "jpg":
        return "pictures in jpg are not what recipes started from"
    known = {name.removeprefix("parametric."): value for name, value in engine.items()}
    names = [name for name in here if name in known and known[name] != here[name]]
    if not names:
        return None
    return "made with " + ", ".join(f"{name} {known[name]} (here {here[name]})" for name in names)


def _likely(dataset: Dataset, key: str) -> Iterable[int]:
    """Shards that may hold a key: photographs are in order of their ids, and so are shards."""
    low, high = 0, len(dataset.plan.catalog)
    source = key.split("-", maxsplit=1)[0]
    while low < high:
        middle = (low + high) // 2
        (clean,) = dataset.plan.catalog.rows(middle, middle + 1)
        if clean.source_id < source:
            low = middle + 1
        else:
            high = middle
    shard = low // dataset.plan.images_per_shard
    return [shard] if shard < dataset.plan.num_shards else []


def _unit(dataset: Dataset, row: Row) -> WorkUnit:
    for unit in dataset.plan.units(row["shard"]):
        if any(request.key == row["key"] for view in unit.views for request in view.requests):
            return unit
    raise ValueError(f"{row['key']} is not in the plan: run gends-build verify")


def _alone(unit: WorkUnit, key: str) -> WorkUnit:
    views = (
        replace(view, requests=tuple(r for r in view.requests if r.key == key))
        for view in unit.views
    )
    return replace(unit, views=tuple(view for view in views if view.requests))


def _batch(unit: WorkUnit, rows: list[Row], attempt: int) -> Batch:
    """What was made together on an attempt: all that had not failed or been accepted before."""
    attempts = {row["key"]: row["attempt"] for row in rows if row["status"] != "failed"}
    requests = (
        (index, request)
        for index, view in enumerate(unit.views)
        for request in view.requests
        if attempts.get(request.key, -1) >= attempt
    )
    return Batch(attempt=attempt, requests=tuple(requests))
