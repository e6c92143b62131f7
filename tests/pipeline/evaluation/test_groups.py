from __future__ import annotations

import pyarrow as pa
import pytest

from gends.pipeline.evaluation.groups import groups_of

EDGES = (0.0, 0.1, 0.2, 1.0)


def table(*rows):
    names = ("degradation", "severity_dataset", "mu")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])


def test_all_each_degradation_its_datasets_and_its_bins():
    found = list(
        groups_of(
            table(("rain", "a", 0.05), ("haze", "b", 0.1), ("rain", "b", 0.3), ("rain", None, 1.0)),
            EDGES,
        )
    )
    said = [
        (g.degradation, g.severity_dataset, g.mu_low, g.mu_high, g.members.tolist()) for g in found
    ]
    assert said == [
        (None, None, None, None, [0, 1, 2, 3]),
        ("haze", None, None, None, [1]),
        ("haze", "b", None, None, [1]),
        ("haze", None, 0.1, 0.2, [1]),
        ("rain", None, None, None, [0, 2, 3]),
        ("rain", "a", None, None, [0]),
        ("rain", "b", None, None, [2]),
        ("rain", None, 0.0, 0.1, [0]),
        ("rain", None, 0.2, 1.0, [2, 3]),
    ]


@pytest.mark.parametrize("edges", [(0, 1, 0.5), (0, 0, 1), (0.1, 1), (0, 0.9), (0,)])
def test_edges_that_leave_something_out_are_refused(edges):
    with pytest.raises(ValueError, match="must rise from 0 to 1"):
        list(groups_of(table(("rain", "a", 0.5)), edges))
