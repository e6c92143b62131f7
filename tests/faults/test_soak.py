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

from gends.pipeline.keeping.dataset import Dataset
from gends.pipeline.storage.faults import VARIABLE
from gends.pipeline.storage.opening import open_store

IN_FLIGHT = 3
"""Units for each worker."""
WORKERS = (1, 2, 4)
MOST_RELEASED = 4
"""Units that engines may begin between two kills, beside those that they have begun."""


@pytest.mark.slow
@pytest.mark.timeout(10_800)
def test_a_build_survives_a_series_of_kills(
    crops: Callable[[Iterable[str]], Path],
    build_dataset: Callable[..., Dataset],
    tmp_path: Path,
    pytestconfig: pytest.Config,
) -> None:
    kills, folder = pytestconfig.getoption("soak_kills"), pytestconfig.getoption("soak_photos")
    names = (f"{index:03d}.png" for index in range(2 * MOST_RELEASED * kills))
    clean = Path(folder) if folder else crops(names)
    settings = SETTINGS | {"replicas": pytestconfig.getoption("soak_replicas")}
    whole = build_dataset(clean, tmp_path / "whole", **settings)
    root, calls = tmp_path / "killed", tmp_path / "calls"
    calls.mkdir()
    rng = random.Random(pytestconfig.getoption("soak_seed"))
    kinds = [KINDS[index % len(KINDS)] for index in range(kills)]
    rng.shuffle(kinds)
    workers: list[int] = []

    def start() -> subprocess.Popen[str]:
        workers.append(rng.choice(WORKERS))
        held = {VARIABLE: f"degrade:every:hold:{calls}"}
        return start_build(clean, root, settings | {"workers": workers[-1]}, held)

    def release(whether_all: bool) -> None:
        """Let engines go on, but not to the end: a fast build would be over before the kill."""
        begun = len(list(calls.glob("pass-*")))
        last = "" if whether_all else str(begun + rng.randint(1, MOST_RELEASED))
        (tmp_path / "go").write_text(last, encoding="utf-8")
        (tmp_path / "go").rename(calls / "go")

    witness = Witness(open_store(root), pause=0.05)
    witness.start()
    progress = (root / "work", root / "manifest")
    losses = assault(start, lambda: made_in(*progress), kinds, rng, 0.5, release)
    witness.end()

    units = sum(whole.plan.num_units(shard) for shard in range(whole.plan.num_shards))
    facts = vars(losses) | compare(root, whole)
    made = len(list(calls.glob("pass-*")))
    facts |= {"torn": len(witness.torn), "units": units, "units_made": made}
    report(pytestconfig, "soak", facts | {"workers": dict(Counter(workers))})
    assert not witness.torn
    assert sorted(witness.seen) == list(range(whole.plan.num_shards))
    assert facts["lost"] == facts["doubled"] == facts["files_different"] == facts["failed"] == 0
    assert not list((root / "work").iterdir())
    # A kill takes from every worker of its session at most what is in flight.
    assert units <= facts["units_made"] <= units + kills * IN_FLIGHT * max(workers)
