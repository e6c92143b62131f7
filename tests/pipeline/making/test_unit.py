from __future__ import annotations

import json

import numpy as np
import pytest

from gends.models.degrader import Degraded
from gends.models.dry import DryDegrader
from gends.pipeline.format.decode import decode
from gends.pipeline.format.manifest import SCHEMA
from gends.pipeline.making.carry_out import Pair
from gends.pipeline.making.judge import Judge
from gends.pipeline.making.load import load_views
from gends.pipeline.making.row import BYTES
from gends.pipeline.making.unit import (
    Batch,
    fail_unit,
    finish_unit,
    first_batch,
    make_batch,
    make_unit,
)
from gends.pipeline.types import Failure, Picture


class Stubborn(DryDegrader):
    """Returns the clean image, which is no degradation, for the given attempts of one key."""

    def __init__(self, seeds: set[int]) -> None:
        self.seeds = seeds
        self.calls: list[int] = []

    def degrade(self, cleans, instructions):
        self.calls.append(sum(map(len, instructions)))
        made = super().degrade(cleans, instructions)
        return [
            [
                pair if i.seed not in self.seeds else self.unchanged(clean)
                for pair, i in zip(pairs, group, strict=True)
            ]
            for clean, pairs, group in zip(cleans, made, instructions, strict=True)
        ]

    @staticmethod
    def unchanged(clean) -> Degraded:
        return Degraded(
            lq=clean, gt=clean, target_kind="reconstructed", scm_applied=True, step={"extra": 1}
        )


@pytest.fixture(scope="module")
def dataset(found_dataset, photos, tmp_path_factory):
    """Redraws twice, accepts whatever has a severity, and has units of seven photographs."""
    return found_dataset(
        photos,
        tmp_path_factory.mktemp("unit") / "root",
        redraws=2,
        replicas=2,
        fit="random",
        shard_size=1000,
        unit_images=7,
        filter={
            "mu_min": 1e-5,
            "mu_max": 1,
            "mu_ratio": 100,
            "structure_min": -1,
            "stray_colour_max": 99,
        },
    )


@pytest.fixture(scope="module")
def unit(dataset):
    """A unit in which one of seven photographs is a duplicate."""
    return dataset.plan.unit(0, 0)


@pytest.fixture(scope="module")
def loaded(dataset, unit):
    return load_views(unit.views, dataset.base, dataset.config)


def make(dataset, unit, loaded, degrader=None):
    judge = Judge(dataset.config.filter)
    return make_unit(unit, loaded, {"dry": degrader or DryDegrader()}, judge, dataset.config)


def test_every_request_has_one_row_in_order_of_key(dataset, unit, loaded):
    rows = make(dataset, unit, loaded)
    keys = [request.key for view in unit.views for request in view.requests]
    assert [row["key"] for row in rows] == sorted(keys)
    assert {row["status"] for row in rows} == {"accepted", "failed"}
    for row in rows:
        assert row.keys() == {*SCHEMA.names, *BYTES}


def test_a_unit_comes_out_the_same_every_time(dataset, unit, loaded):
    assert make(dataset, unit, loaded) == make(dataset, unit, loaded)


def test_an_accepted_row_says_what_was_asked_and_what_was_made(dataset, unit, loaded):
    requests = {r.key: (v, r) for v in unit.views for r in v.requests}
    pictures = dict(zip([v.crop for v in unit.views], loaded, strict=True))
    for row in make(dataset, unit, loaded):
        if row["status"] != "accepted":
            continue
        view, request = requests[row["key"]]
        assert row["mu_target"] == pytest.approx(request.only_step.mu, rel=1e-6)
        assert row["seed"] == request.seeds[row["attempt"]]
        assert (row["caption"], row["split"]) == (view.clean.caption, view.clean.split)
        assert row["source_blake3"] == pictures[view.crop].blake3
        gt, lq = decode(row["gt_bytes"]), decode(row["lq_bytes"])
        assert np.array_equal(gt, pictures[view.crop].pixels)
        assert row["mu"] == pytest.approx(np.abs(lq / 255 - gt / 255).mean(), rel=1e-5)
        assert (row["width"], row["height"], row["engine"]) == (64, 64, "dry")


def test_photographs_that_could_not_be_loaded_give_failed_rows(dataset, unit, loaded):
    broken = [
        Failure(code="undecodable", detail="why", blake3="ab") if i == 0 else item
        for i, item in enumerate(loaded)
    ]
    rows = {row["key"]: row for row in make(dataset, unit, broken)}
    for request in unit.views[0].requests:
        row = rows[request.key]
        assert (row["status"], row["reason"], row["detail"]) == ("failed", "undecodable", "why")
        assert (row["source_blake3"], row["attempt"], row["seed"]) == ("ab", 0, request.seeds[0])
        assert row["mu"] is row["lq_bytes"] is row["width"] is row["metrics"] is None


def test_a_unit_of_failures_never_calls_the_engine(dataset, unit):
    failures = [Failure(code="unreadable", detail="gone")] * len(unit.views)
    engine = Stubborn(set())
    rows = make(dataset, unit, failures, engine)
    assert engine.calls == []
    assert rows == fail_unit(unit, failures[0])
    assert {row["reason"] for row in rows} == {"unreadable"}
    assert len(rows) == unit.num_requests


def test_a_rejected_pair_is_drawn_again_under_the_next_seed(dataset, unit, loaded):
    requests = [
        r
        for v, i in zip(unit.views, loaded, strict=True)
        if isinstance(i, Picture)
        for r in v.requests
    ]
    once, twice, always = requests[0], requests[5], requests[-1]
    engine = Stubborn({once.seeds[0], *twice.seeds[:2], *always.seeds})
    rows = {row["key"]: row for row in make(dataset, unit, loaded, engine)}
    assert engine.calls == [len(requests), 3, 2]

    untouched = {row["key"]: row for row in make(dataset, unit, loaded)}
    for request, attempt in ((once, 1), (twice, 2)):
        row = rows.pop(request.key)
        assert (row["status"], row["attempt"]) == ("accepted", attempt)
        assert row["seed"] == request.seeds[attempt]
    row = rows.pop(always.key)
    assert (row["status"], row["reason"], row["attempt"]) == ("rejected", "mu_low", 2)
    assert row["seed"] == always.seeds[2]
    assert row["lq_bytes"] is row["gt_blake3"] is row["lq_blake3"] is None
    assert (row["mu"], row["target_kind"], row["scm_applied"]) == (0, "reconstructed", True)
    (step,) = json.loads(row["recipe"])["steps"]
    assert (step["op"], step["engine"], step["extra"]) == (always.degradation, "dry", 1)
    # Neighbours are as they would have been.
    assert all(row == untouched[key] for key, row in rows.items())


def test_stages_apart_give_what_one_call_gives(dataset, unit, loaded):
    engines = {"dry": DryDegrader()}
    made = make_batch(engines, unit, loaded, first_batch(unit, loaded), dataset.config)

    def redraw(batch: Batch) -> list[Pair]:
        return make_batch(engines, unit, loaded, batch, dataset.config)

    judge = Judge(dataset.config.filter)
    rows = finish_unit(unit, loaded, made, redraw, judge, dataset.config)
    assert rows == make(dataset, unit, loaded)


def test_the_engine_is_told_captions_and_seeds(dataset, unit, loaded):
    told = []

    class Listening(DryDegrader):
        def degrade(self, cleans, instructions):
            told.extend(i for group in instructions for i in group)
            return super().degrade(cleans, instructions)

    make_batch({"dry": Listening()}, unit, loaded, first_batch(unit, loaded), dataset.config)
    wanted = [
        (r.degradation, r.only_step.mu, r.only_step.sigma, r.seeds[0], v.clean.caption)
        for v, item in zip(unit.views, loaded, strict=True)
        if isinstance(item, Picture)
        for r in v.requests
    ]
    assert [(i.degradation, i.mu, i.sigma, i.seed, i.caption) for i in told] == wanted
    assert any(i.caption for i in told)


def test_an_engine_that_loses_pairs_is_an_error(dataset, unit, loaded):
    class Losing(DryDegrader):
        def degrade(self, cleans, instructions):
            return super().degrade(cleans, instructions)[:-1]

    with pytest.raises(ValueError, match="zip"):
        make(dataset, unit, loaded, Losing())
