"""How many pairs a build makes by which steps, from its plan alone."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from gends.pipeline.planning.plan import Plan

MOST_DRAWN = 100_000
"""Pairs whose steps are drawn to be counted; of a larger plan, those of some photographs."""


class StepCounts(NamedTuple):
    """Pairs by label and steps, of the labels whose pairs may differ in their steps."""

    counts: dict[str, dict[str, int]]
    is_sample: bool
    """Whether only the pairs of some photographs were counted, evenly spaced in the catalog."""


def count_steps(plan: Plan) -> StepCounts:
    """Draw the recipes of a plan, or of a sample of it, and count their steps."""
    varied = sorted(mixture.name for mixture in plan.config.wanted if mixture.is_varied)
    if not varied:
        return StepCounts({}, is_sample=False)
    every = max(1, -(-plan.num_requests() // MOST_DRAWN))
    found: dict[str, Counter[str]] = {name: Counter() for name in varied}
    for number in range(0, len(plan.catalog), every):
        (clean,) = plan.catalog.rows(number, number + 1)
        for view in plan.views(number, clean):
            for request in view.requests:
                if request.degradation in found:
                    found[request.degradation][request.steps] += 1
    counts = {name: dict(counter.most_common()) for name, counter in found.items()}
    return StepCounts(counts, is_sample=every > 1)
