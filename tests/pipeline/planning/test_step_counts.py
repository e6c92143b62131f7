from __future__ import annotations

from collections import Counter

import pytest
from plans import all_requests, make_plan

from gends.pipeline.planning import step_counts
from gends.pipeline.planning.mixture import MixtureConfig
from gends.pipeline.planning.step_counts import count_steps

MIXTURES = [
    {"name": "haze", "steps": ["haze"]},
    {"name": "both", "steps": ["rain", "noise"]},
    {"name": "weather", "steps": [{"one_of": ["rain", "snow"]}]},
    {"name": "orders", "steps": {"shuffled": ["rain", "haze", "noise"]}, "pairs": 12},
    {"name": "parts", "steps": ["haze", {"op": "noise", "probability": 0.5}], "regions": {}},
]


def make(count):
    return make_plan(count, own=[None], engine="parametric", mixtures=MIXTURES, shard_size=50)


def test_every_request_of_labels_that_vary_is_counted():
    plan = make(10)
    counts, is_sample = count_steps(plan)
    found = Counter((r.degradation, r.steps) for r in all_requests(plan))
    assert not is_sample
    assert set(counts) == {"weather", "orders", "parts"}
    assert {(name, s): n for name, kinds in counts.items() for s, n in kinds.items()} == {
        kind: n for kind, n in found.items() if kind[0] in counts
    }
    assert set(counts["orders"].values()) == {2}
    assert len(counts["orders"]) == 6


def test_of_a_large_plan_a_sample_is_drawn(monkeypatch):
    plan = make(60)
    monkeypatch.setattr(step_counts, "MOST_DRAWN", plan.num_requests() // 4)
    counts, is_sample = count_steps(plan)
    assert is_sample
    assert sum(counts["weather"].values()) in range(10, 20)


def test_a_plan_without_mixtures_draws_nothing(monkeypatch):
    plan = make_plan(4, engine="dry")
    monkeypatch.setattr(type(plan), "views", None)
    assert count_steps(plan) == ({}, False)


@pytest.mark.parametrize(
    ("mixture", "varied"),
    [
        ({"steps": ["haze"]}, False),
        ({"steps": ["haze", "rain"]}, False),
        ({"steps": {"shuffled": ["haze"]}}, False),
        ({"steps": {"shuffled": ["haze", "rain"]}}, True),
        ({"steps": [{"one_of": ["haze", "rain"]}]}, True),
        ({"steps": [{"op": "haze", "probability": 0.5}]}, True),
        ({"steps": ["haze"], "regions": {"count": 2}}, False),
        ({"steps": ["haze"], "regions": {"count": [2, 3]}}, True),
    ],
)
def test_which_mixtures_vary(mixture, varied):
    assert MixtureConfig(name="m", **mixture).is_varied is varied
