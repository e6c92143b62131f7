from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plans import PROFILE, all_requests, make_plan

from gends.models.degradations import DEGRADATIONS
from gends.models.parametric.catalog import OPERATIONS
from gends.models.parametric.levels import level_strengths
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.planning.recipe import MOST_DRAWS, Place, RecipeDrawer, permuted
from gends.pipeline.types import Step

pytestmark = pytest.mark.usefixtures("made_up")


def drawn(steps, count=1, engine="parametric", ordinal=None, **mixture):
    """The recipes of `count` pairs of a mixture: of each the steps of every region."""
    wanted = {"name": "mixed", "steps": steps} | mixture
    config = BuildConfig.model_validate({"engine": engine, "mixtures": [wanted], "seed": 11})
    drawer = RecipeDrawer(config, PROFILE)
    places = (Place("photo", "mixed", replica) for replica in range(count))
    return [drawer.recipes(config.mixtures[0], place, place.replica)[1] for place in places]


def steps_of(steps, count=1, **settings_) -> list[tuple[Step, ...]]:
    """The same of mixtures without regions."""
    return [only for (only,) in drawn(steps, count, **settings_)]


def names(recipe):
    return tuple(step.op for step in recipe)


ORDERED = [name for name in OPERATIONS if name not in ("grain", "spot")]


@given(written=st.lists(st.sampled_from(ORDERED), min_size=1, max_size=6))
def test_the_physical_order_is_that_of_the_catalog_and_the_written_one_the_users(written):
    (physical,) = steps_of(written)
    (as_written,) = steps_of(written, order="written")
    assert names(as_written) == tuple(written)
    assert names(physical) == tuple(sorted(written, key=ORDERED.index))
    assert {OPERATIONS[op].stage for op in ORDERED} <= {"scene", "lens", "sensor", "coding"}


def test_stages_follow_each_other_as_light_meets_them():
    stages = [operation.stage for operation in OPERATIONS.values() if operation.label < 31]
    assert stages == sorted(stages, key=["scene", "lens", "sensor", "coding"].index)


@pytest.mark.parametrize("pairs", [6, 60, 601])
@pytest.mark.parametrize("sources", [1, 7])
def test_all_orders_come_equally_often(pairs, sources):
    shuffled = {"name": "six", "steps": {"shuffled": ["rain", "snow", "haze"]}, "pairs": pairs}
    plan = make_plan(sources, own=[None], engine="parametric", mixtures=[shuffled])
    orders = Counter(request.steps for request in all_requests(plan))
    assert sum(orders.values()) == pairs
    if pairs >= 6:
        assert set(orders) == {
            "+".join(o) for o in itertools.permutations(["rain", "snow", "haze"])
        }
    assert max(orders.values()) - min(orders.values()) <= 1


def test_all_orders_come_equally_often_of_replicas_and_of_regions_too():
    for further, settings_ in (({}, {"replicas": 4}), ({"regions": {"count": 2}}, {"replicas": 2})):
        mixture = {"name": "two", "steps": {"shuffled": ["rain", "snow"]}} | further
        plan = make_plan(5, own=[None], engine="parametric", mixtures=[mixture], **settings_)
        orders = Counter(
            names(recipe) for request in all_requests(plan) for recipe in request.recipes
        )
        assert orders == {("rain", "snow"): 10, ("snow", "rain"): 10}


def test_each_region_has_every_order_in_as_many_pairs_as_there_are_orders():
    mixture = {"name": "six", "steps": {"shuffled": ["rain", "snow", "haze"]}, "pairs": 6}
    mixture["regions"] = {"count": 3}
    requests = all_requests(make_plan(2, own=[None], engine="parametric", mixtures=[mixture]))
    for region in range(3):
        assert len({names(request.recipes[region]) for request in requests}) == 6


def test_orders_with_per_image_are_an_even_draw():
    mixtures = [
        {"name": name, "steps": {"shuffled": ["rain", "snow"]}} for name in ("one", "other")
    ]
    plan = make_plan(400, own=[None], engine="parametric", mixtures=mixtures, per_image=1)
    orders = Counter(request.steps for request in all_requests(plan))
    assert list(orders.values()) == pytest.approx([200, 200], abs=45)


@given(count=st.integers(1, 5), ordinal=st.integers(0, 10**18))
def test_an_order_is_one_of_all_by_its_number(count, ordinal):
    items = list(range(count))
    orders = list(itertools.permutations(items))
    assert permuted(items, ordinal, 0) == list(orders[ordinal % len(orders)])


@given(st.integers(2, 4), st.integers(0, 5), st.integers(0, 20))
def test_every_region_has_all_orders_equally_often(steps, region, group):
    count = math.factorial(steps)
    pairs = range(group * count, (group + 1) * count)
    orders = {tuple(permuted(list(range(steps)), ordinal, region)) for ordinal in pairs}
    assert len(orders) == count


def test_orders_of_two_regions_do_not_always_go_together():
    both = {
        (tuple(permuted("abc", ordinal, 0)), tuple(permuted("abc", ordinal, 1)))
        for ordinal in range(36)
    }
    assert len(both) == 36


def test_a_probability_is_how_often_a_step_is_there():
    recipes = steps_of(["haze", {"op": "rain", "probability": 0.3}], 2000)
    with_rain = sum("rain" in names(recipe) for recipe in recipes)
    assert with_rain == pytest.approx(600, abs=75)
    assert all("haze" in names(recipe) for recipe in recipes)
    (always,) = set(map(names, steps_of(["haze", {"op": "rain", "probability": 1}], 50)))
    assert always == ("haze", "rain")


def test_one_of_is_one_and_each_equally_often():
    counts = Counter(map(names, steps_of([{"one_of": ["rain", "snow", "haze"]}], 1500)))
    assert set(counts) == {("rain",), ("snow",), ("haze",)}
    assert list(counts.values()) == pytest.approx([500] * 3, abs=75)


def test_some_of_are_that_many_without_repetition():
    some = {"some_of": ["haze", "rain", "snow", "raindrop"], "count": [1, 3]}
    recipes = list(map(names, steps_of([some], 3000)))
    assert all(len(set(recipe)) == len(recipe) for recipe in recipes)
    sizes = Counter(map(len, recipes))
    assert set(sizes) == {1, 2, 3}
    assert list(sizes.values()) == pytest.approx([1000] * 3, abs=120)
    pairs = Counter(frozenset(recipe) for recipe in recipes if len(recipe) == 2)
    assert len(pairs) == 6
    assert min(pairs.values()) > 100
    ops = Counter(op for recipe in recipes for op in recipe)
    assert list(ops.values()) == pytest.approx([1500] * 4, abs=150)


def test_what_is_drawn_keeps_the_order_in_which_it_is_written():
    some = {"some_of": ["raindrop", "rain", "haze"], "count": 2}
    for recipe in steps_of(["snow", some], 50, order="written"):
        assert list(names(recipe)) == sorted(
            names(recipe), key=["snow", "raindrop", "rain", "haze"].index
        )
        assert len(recipe) == 3


def test_no_steps_may_be_drawn_and_the_picture_then_stays_as_it_is():
    (empty,) = steps_of([{"some_of": ["haze"], "count": 0}])
    assert empty == ()


def test_the_ways_of_strength():
    def only(**given_):
        return steps_of([{"op": "grain"} | given_])[0][0]

    assert only(strength=0.25).strength == 0.25
    assert only(grains=50).strength == pytest.approx(0.75)  # from 200 grains down to none
    (level,) = steps_of([{"op": "haze", "level": 4}])[0]
    assert level.strength == level_strengths("haze")[3]
    by_mu = only(mu=0.1)
    assert (by_mu.mu, by_mu.sigma, by_mu.strength) == (0.1, None, None)
    both = only(mu=0.1, sigma=0.05)
    assert (both.mu, both.sigma) == (0.1, 0.05)
    for step in (level, only(strength=0.25), only(grains=50)):
        assert step.mu is step.sigma is step.random_sampled is None
        assert step.parameters == {}
    assert only(strength=0.5, size=2, kind="colour").parameters == {"size": 2, "kind": "colour"}


def test_nothing_said_is_the_profile_or_else_the_usual_range():
    (haze,) = steps_of(["haze"])[0]
    assert haze.strength is None
    assert haze.severity_dataset in PROFILE.degradations["haze"].datasets
    strengths = np.array([step.strength for (step,) in steps_of(["grain"], 1000)])
    low, high = OPERATIONS["grain"].usual
    assert (strengths.min(), strengths.max()) == pytest.approx((low, high), abs=0.01)
    assert strengths.mean() == pytest.approx((low + high) / 2, abs=0.02)


def test_a_range_is_drawn_anew_for_every_pair_and_in_every_region():
    step = {"op": "grain", "strength": [0.2, 0.8], "size": [1, 3]}
    recipes = drawn([step], 50, regions={"count": 3})
    strengths = [region[0].strength for recipe in recipes for region in recipe]
    assert len(recipes[0]) == 3
    assert len(set(strengths)) == 150
    assert all(0.2 <= strength <= 0.8 for strength in strengths)
    assert all(1 <= region[0].parameters["size"] <= 3 for recipe in recipes for region in recipe)


def test_the_model_is_told_a_usual_sigma_beside_a_mu():
    (step,) = steps_of([{"op": "haze", "engine": "gendeg", "mu": 0.1}])[0]
    assert (step.engine, step.mu) == ("gendeg", 0.1)
    rng = np.random.default_rng(0)
    near = [PROFILE.draw("haze", rng, 0.0) for _ in range(20 * MOST_DRAWS)]
    sigmas = [draw.sigma for draw in near if abs(draw.mu - 0.1) < 0.01]
    assert min(sigmas) <= step.sigma <= max(sigmas)


@settings(max_examples=25)
@given(
    replica=st.integers(0, 50),
    op=st.sampled_from(sorted(DEGRADATIONS)),
    engine=st.sampled_from(["gendeg", "dry", "parametric"]),
)
def test_a_mixture_of_one_step_draws_what_the_degradation_draws(replica, op, engine):
    short = BuildConfig(degradations=(op,), engine=engine)
    long = BuildConfig.model_validate({"engine": engine, "mixtures": [{"name": op, "steps": [op]}]})
    place = Place("photo", op, replica)
    made = [RecipeDrawer(c, PROFILE).recipes(c.wanted[0], place, 0) for c in (short, long)]
    assert made[0] == made[1]
    step = made[0][1][0][0]
    assert (step.op, step.engine) == (op, engine)
    assert step.mu is not None
    assert step.sigma is not None


def test_regions_are_drawn_within_what_is_asked_for():
    wanted = {"count": [2, 4], "shape": ["rectangles", "voronoi"], "feather": [1, 5]}
    mixture = {"name": "cut", "steps": ["haze"], "regions": wanted}
    plan = make_plan(200, own=[None], engine="parametric", mixtures=[mixture])
    maps = [request.regions for request in all_requests(plan)]
    assert Counter(regions.count for regions in maps).keys() == {2, 3, 4}
    assert Counter(regions.shape for regions in maps).keys() == {"rectangles", "voronoi"}
    assert all(1 <= regions.feather <= 5 for regions in maps)
    assert len({regions.seed for regions in maps}) == 200
    assert all(len(request.recipes) == request.regions.count for request in all_requests(plan))


def test_every_step_of_every_region_has_a_seed_of_its_own():
    mixture = {"name": "cut", "steps": ["haze", "rain"], "regions": {"count": 3}}
    plan = make_plan(3, own=[None], engine="parametric", mixtures=[mixture], redraws=1)
    requests = all_requests(plan)
    seeds = [
        request.instruction(attempt, region, number, None).seed
        for request in requests
        for attempt in range(2)
        for region in range(3)
        for number in range(2)
    ]
    assert len(set(seeds)) == len(seeds) == 36
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert all(request.step_seed(1, 0, 0) == request.seeds[1] for request in requests)


def test_columns_of_a_request_name_steps_and_engines():
    steps = [{"op": "haze", "engine": "gendeg"}, "grain", {"op": "rain", "engine": "gendeg"}]
    mixture = {"name": "m", "steps": steps, "order": "written"}
    (request,) = all_requests(make_plan(1, own=[None], engine="parametric", mixtures=[mixture]))
    assert (request.steps, request.engine) == ("haze+grain+rain", "gendeg+parametric")
    assert request.only_step is None
    regions = {"name": "m", "steps": ["haze"], "regions": {"count": 2}}
    (request,) = all_requests(make_plan(1, own=[None], engine="parametric", mixtures=[regions]))
    assert (request.steps, request.engine) == ("haze|haze", "parametric")
    assert request.only_step is None
    one = {"name": "m", "steps": ["haze"]}
    (request,) = all_requests(make_plan(1, own=[None], engine="parametric", mixtures=[one]))
    assert request.only_step == request.recipes[0][0]
    assert (request.degradation, request.steps) == ("m", "haze")
