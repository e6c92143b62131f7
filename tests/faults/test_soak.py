"""A build that is killed again and again: `make soak` kills 200 times, `make test` a few."""

from __future__ import annotations

import random
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from assault import KINDS, assault
from soaking import SETTINGS, compare, made_in, report, start_build
from witness import Witness

from gends.pipeline.dataset import Dataset
from gends.pipeline.faults import VARIABLE
from gends.pipeline.store import open_store

IN_FLIGHT = 3
"""Units for each worker."""


@pytest.mark.slow
@pytest.mark.timeout(10_800)
def test_a_build_survives_a_series_of_kills(
    crops: Callable[[Iterable[str]], Path],
    build_dataset: Callable[..., Dataset],
    tmp_path: Path,
    pytestconfig: pytest.Config,
) -> None:
    kills, folder = pytestconfig.getoption("soak_kills"), pytestconfig.getoption("soak_photos")
    clean = Path(folder) if folder else crops(f"{index:03d}.png" for index in range(4 * kills))
    settings = SETTINGS | {"replicas": pytestconfig.getoption("soak_replicas")}
    whole = build_dataset(clean, tmp_path / "whole", **settings)
    root, calls = tmp_path / "killed", tmp_path / "calls"
    calls.mkdir()
    rng = random.Random(pytestconfig.getoption("soak_seed"))
    kinds = [KINDS[index % len(KINDS)] for index in range(kills)]
    rng.shuffle(kinds)
    workers: list[int] = []

    def start() -> subprocess.Popen[str]:
        workers.append(rng.choice([1, 2, 4]))
        counting = {VARIABLE: f"degrade:0:kill:{calls}"}  # never strikes
        return start_build(clean, root, settings | {"workers": workers[-1]}, counting)

    witness = Witness(open_store(root), pause=0.05)
    witness.start()
    progress = ("work/*/[!.]*", "manifest/[!.]*")
    losses = assault(start, lambda: made_in(root, *progress), kinds, rng, pause=0.5)
    witness.end()

    units = sum(whole.plan.num_units(shard) for shard in range(whole.plan.num_shards))
    facts = vars(losses) | compare(root, whole)
    facts |= {"torn": len(witness.torn), "units": units, "units_made": len(list(calls.iterdir()))}
    report(pytestconfig, "soak", facts | {"workers": dict(Counter(workers))})
    assert not witness.torn
    assert sorted(witness.seen) == list(range(whole.plan.num_shards))
    assert facts["lost"] == facts["doubled"] == facts["files_different"] == facts["failed"] == 0
    assert not list((root / "work").iterdir())
    # A kill takes from every worker of its session at most what is in flight.
    assert units <= facts["units_made"] <= units + kills * IN_FLIGHT * max(workers)
