from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plans import PROFILE, all_requests, all_views, make_plan

from gends.histograms.profile import Profile
from gends.models.degradations import DEGRADATIONS
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.planning.plan import Plan
from gends.pipeline.seeds import draw_seed


@settings(max_examples=30)
@given(
    count=st.integers(1, 12),
    shard_size=st.integers(1, 60),
    unit_images=st.integers(1, 5),
    replicas=st.integers(1, 3),
    per_image=st.none() | st.integers(1, 6),
    fit=st.sampled_from(["center", "random"]),
)
def test_every_request_stands_in_exactly_one_unit(count, shard_size, unit_images, **rest):
    plan = make_plan(count, shard_size=shard_size, unit_images=unit_images, **rest)
    keys = [request.key for request in all_requests(plan)]
    expected = {
        f"s{i:03d}-{name}-{replica}"
        for i in range(count)
        for name in plan.labels(i, next(plan.catalog.rows(i, i + 1)))
        for replica in range(plan.config.replicas)
    }
    assert len(keys) == len(set(keys)) == plan.num_requests()
    assert set(keys) == expected

    for shard in range(plan.num_shards):
        units = list(plan.units(shard))
        assert len(units) == plan.num_units(shard) > 0
        sizes = [unit.num_requests for unit in units]
        assert sizes == [plan.count_requests(shard, i) for i in range(len(units))]
        one_image = (rest["per_image"] or 6) * rest["replicas"]
        assert sum(sizes) <= max(shard_size, one_image)
        by_unit = [sorted(r.key for v in unit.views for r in v.requests) for unit in units]
        in_order = [key for keys_of_unit in by_unit for key in keys_of_unit]
        assert in_order == sorted(in_order)


def test_requests_do_not_depend_on_how_they_are_grouped():
    def facts(**settings_):
        requests = all_requests(make_plan(7, replicas=2, per_image=3, seed=5, **settings_))
        return {request.key: request for request in requests}

    grouped = facts(shard_size=1000)
    assert facts(shard_size=7, unit_images=1) == facts(shard_size=25, unit_images=3) == grouped
    assert facts(shard_size=1000) == grouped


def test_a_longer_catalog_or_more_replicas_leave_requests_as_they_were():
    few = {request.key: request for request in all_requests(make_plan(3, seed=5))}
    many = {request.key: request for request in all_requests(make_plan(5, seed=5, replicas=3))}
    assert few.items() <= many.items()
    other = {request.key: request for request in all_requests(make_plan(3, seed=6))}
    assert other.keys() == few.keys()
    assert not any(other[key].seeds[0] == few[key].seeds[0] for key in few)


def test_what_an_image_shows_already_is_never_painted_on_it():
    painted = Counter()
    for view in all_views(make_plan(8)):
        names = [request.degradation for request in view.requests]
        assert view.clean.degradation not in names
        assert set(names) == set(DEGRADATIONS) - {view.clean.degradation}
        painted.update(names)
    assert painted == {name: 6 if name in ("haze", "snow") else 8 for name in DEGRADATIONS}


def test_images_with_nothing_left_to_paint_have_no_requests():
    plan = make_plan(4, degradations=("haze",))
    assert [request.key for request in all_requests(plan)] == [
        "s000-haze-0",
        "s002-haze-0",
        "s003-haze-0",
    ]
    assert plan.num_requests() == 3


def test_per_image_draws_that_many_in_all_combinations():
    views = all_views(make_plan(200, per_image=2))
    drawn = Counter(tuple(request.degradation for request in view.requests) for view in views)
    assert all(len(set(names)) == 2 for names in drawn)
    assert len(drawn) == 15  # every pair of six comes up
    assert max(drawn.values()) < 40


def test_a_random_crop_for_each_replica_and_none_otherwise():
    views = all_views(make_plan(2, fit="random", replicas=3))
    crops = [view.crop for view in views]
    assert len(views) == len(set(crops)) == 6
    assert all(0 <= value <= 1 for c in crops for value in (c.zoom, c.x, c.y))
    assert all(len({r.key[-1] for r in view.requests}) == 1 for view in views)
    centered = all_views(make_plan(2, fit="center", replicas=3))
    assert [view.crop for view in centered] == [None, None]


def test_seeds_are_distinct_for_every_request_and_attempt():
    requests = all_requests(make_plan(5, redraws=3, replicas=2))
    seeds = [seed for request in requests for seed in request.seeds]
    assert {len(request.seeds) for request in requests} == {4}
    assert len(set(seeds)) == len(seeds)
    # JSON readers and Arrow's inference know signed 64-bit integers only.
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert max(seeds) > 2**60


@given(st.integers(0, 2**63 - 1), st.text(), st.integers(0, 10))
def test_a_drawn_seed_is_a_function_of_what_it_is_for(seed, text, number):
    assert draw_seed(seed, text, number) == draw_seed(seed, text, number)
    assert draw_seed(seed, text, number) != draw_seed(seed, text, number + 1)


def test_severities_come_from_the_profile_and_some_are_uniform():
    requests = all_requests(make_plan(80, uniform_share=0.25))
    for request in requests:
        assert 0 <= request.only_step.mu <= 0.7
        assert (
            request.only_step.severity_dataset in PROFILE.degradations[request.degradation].datasets
        )
    share = sum(request.only_step.random_sampled for request in requests) / len(requests)
    assert 0.15 < share < 0.35


@settings(max_examples=60)
@given(seed=st.integers(0, 2**63 - 1), bounds=st.sampled_from([(0.004, 0.285), (0.05, 0.1)]))
def test_no_severity_is_asked_for_that_the_filter_would_reject(seed, bounds):
    low, high = bounds
    plan = make_plan(8, seed=seed, filter={"mu_min": low, "mu_max": high})
    requests = all_requests(plan)
    assert all(low <= request.only_step.mu <= high for request in requests)
    assert requests == all_requests(plan)


def test_where_the_profile_has_nothing_in_the_window_a_severity_is_drawn_all_the_same():
    requests = all_requests(make_plan(2, filter={"mu_min": 0.9, "mu_max": 1}))
    assert len(requests) == 11
    assert all(0 <= request.only_step.mu < 0.9 for request in requests)


def test_a_profile_without_a_wanted_degradation_is_refused():
    plan = make_plan(1)
    only_haze = Profile(degradations={"haze": PROFILE.degradations["haze"]})
    with pytest.raises(ValueError, match=r"has no low_light, .*; it has haze; fit one"):
        Plan(plan.catalog, BuildConfig(), only_haze)
    assert Plan(plan.catalog, BuildConfig(degradations=("haze",)), only_haze).num_requests() == 1
