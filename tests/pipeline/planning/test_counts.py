from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plans import all_requests, all_views, make_plan, plan_of

from gends.pipeline.planning.config import ConfigError
from gends.pipeline.sources.source import SourceRow

HAZE_AND_RAIN = {"name": "both", "steps": ["haze", "rain"]}


def spread(plan, label):
    """Pairs of a label by photograph."""
    counts = Counter()
    for view in all_views(plan):
        counts[view.clean.source_id] += sum(r.degradation == label for r in view.requests)
    return counts


@settings(max_examples=40)
@given(
    count=st.integers(1, 12),
    pairs=st.integers(1, 40),
    shard_size=st.integers(80, 200),
    unit_images=st.integers(1, 5),
    fit=st.sampled_from(["center", "random", "squash"]),
    seed=st.integers(0, 99),
)
def test_exactly_n_pairs_whatever_number_of_sources_there_is(count, pairs, fit, seed, **sizes):
    mixtures = [HAZE_AND_RAIN | {"pairs": pairs}, {"name": "drops", "steps": ["raindrop"]}]
    plan = make_plan(
        count, engine="parametric", mixtures=mixtures, fit=fit, seed=seed, replicas=2, **sizes
    )
    requests = all_requests(plan)
    labels = Counter(request.degradation for request in requests)
    assert labels["both"] == pairs
    assert labels["drops"] == 2 * count
    assert len({request.key for request in requests}) == len(requests) == plan.num_requests()
    shares = spread(plan, "both")
    usable = [f"s{i:03d}" for i in range(count) if i % 4 != 1]  # the others show haze
    assert set(filter(shares.get, shares)) <= set(usable)
    given_ = [shares[name] for name in usable]
    assert max(given_) - min(given_) <= 1


def test_which_photographs_get_one_more_is_drawn_and_every_one_has_its_chance():
    mixture = HAZE_AND_RAIN | {"pairs": 3}
    more = Counter()
    for seed in range(300):
        plan = make_plan(6, own=[None], engine="parametric", mixtures=[mixture], seed=seed)
        chosen = [name for name, count in spread(plan, "both").items() if count]
        assert len(chosen) == 3
        more.update(chosen)
    assert list(more.values()) == pytest.approx([150] * 6, abs=40)


def test_counts_of_labels_follow_from_the_plan_alone():
    mixtures = [HAZE_AND_RAIN | {"pairs": 7}, {"name": "drops", "steps": ["raindrop"], "pairs": 5}]
    plan = make_plan(4, engine="parametric", mixtures=mixtures)
    for number, clean in enumerate(plan.catalog.rows(0, 4)):
        made = Counter(r.degradation for v in plan.views(number, clean) for r in v.requests)
        assert plan.labels(number, clean) == made


@pytest.mark.parametrize("fit", ["center", "random", "squash", "native"])
def test_more_pairs_than_sources_are_other_views_of_them(fit):
    mixture = HAZE_AND_RAIN | {"pairs": 24}
    plan = make_plan(2, own=[None], engine="parametric", mixtures=[mixture], fit=fit)
    for source in ("s000", "s001"):
        views = [view for view in all_views(plan) if view.clean.source_id == source]
        first = next(v for v in views if any(r.key.endswith("-0") for r in v.requests))
        assert first.move is None
        others = [view for view in views if view is not first]
        assert all(view.move is not None for view in others)
        assert {view.move.flip for view in others} == {False, True}
        assert len({view.move.turns for view in others}) > 2
        if fit in ("center", "random"):
            assert len(views) == len({view.crop for view in views}) == 12
        else:
            assert all(view.crop is None for view in views)


def test_no_pair_of_a_mixture_is_like_another():
    plan = make_plan(1, own=[None], engine="parametric", mixtures=[HAZE_AND_RAIN | {"pairs": 20}])
    requests = all_requests(plan)
    assert len({request.seeds for request in requests}) == 20
    assert len({str(request.recipes) for request in requests}) == 20


def test_photographs_that_cannot_be_used_are_not_counted_on(tmp_path):
    for name, data in (("a", b"one"), ("b", b"two"), ("copy", b"one"), ("d", b"four")):
        (tmp_path / f"{name}.png").write_bytes(data)
    rows = [
        SourceRow(uri="a.png", source_id="a"),
        SourceRow(uri="b.png", source_id="b", problem="broken"),
        SourceRow(uri="copy.png", source_id="c"),
        SourceRow(uri="d.png", source_id="d"),
    ]
    plan = plan_of(rows, tmp_path, engine="parametric", mixtures=[HAZE_AND_RAIN | {"pairs": 6}])
    assert +spread(plan, "both") == {"a": 3, "d": 3}


def test_only_photographs_of_the_named_datasets_are_used():
    rows = [
        SourceRow(uri=f"{n}.png", source_id=n, dataset="sea" if n in "ab" else "land")
        for n in "abcd"
    ]
    mixtures = [
        HAZE_AND_RAIN | {"pairs": 3, "datasets": "sea"},
        {"name": "drops", "steps": ["raindrop"], "datasets": ["land"]},
    ]
    plan = plan_of(rows, engine="parametric", mixtures=mixtures)
    assert (+spread(plan, "both")).keys() == {"a", "b"}
    assert +spread(plan, "drops") == {"c": 1, "d": 1}


def test_a_mixture_that_no_photograph_allows_is_refused():
    for own, further in ((["haze"], {}), (["rain"], {"pairs": 3})):
        with pytest.raises(ConfigError, match=r"mixture both: no photograph.* can be used for it"):
            make_plan(3, own=own, engine="parametric", mixtures=[HAZE_AND_RAIN | further])
    with pytest.raises(ConfigError, match=r"no photograph of sea; datasets of these: "):
        make_plan(
            3, own=[None], engine="parametric", mixtures=[HAZE_AND_RAIN | {"datasets": "sea"}]
        )


def test_pairs_of_one_photograph_that_fit_no_shard_are_refused_with_the_ways_out():
    with pytest.raises(ConfigError, match=r"^11 pairs of one photograph do not fit a shard of 10"):
        make_plan(
            1,
            own=[None],
            engine="parametric",
            mixtures=[HAZE_AND_RAIN | {"pairs": 11}],
            shard_size=10,
        )
    plan = make_plan(
        2, own=[None], engine="parametric", mixtures=[HAZE_AND_RAIN | {"pairs": 20}], shard_size=10
    )
    assert plan.num_requests() == 20


def test_mixtures_are_drawn_by_weight():
    mixtures = [
        {"name": name, "steps": ["haze"], "weight": weight}
        for name, weight in (("often", 6), ("seldom", 2), ("hardly", 1))
    ]
    plan = make_plan(900, own=[None], engine="parametric", mixtures=mixtures, per_image=1)
    labels = Counter(request.degradation for request in all_requests(plan))
    assert [labels[name] for name in ("often", "seldom", "hardly")] == pytest.approx(
        [600, 200, 100], abs=45
    )


def test_two_of_a_photograph_are_two_mixtures():
    mixtures = [
        {"name": n, "steps": ["haze"], "weight": w} for n, w in (("a", 9), ("b", 1), ("c", 1))
    ]
    plan = make_plan(
        100, own=[None], engine="parametric", mixtures=mixtures, per_image=2, replicas=2
    )
    for view in all_views(plan):
        counts = Counter(request.degradation for request in view.requests)
        assert sorted(counts.values()) == [2, 2]
