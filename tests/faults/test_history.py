"""Whatever happens to a build and whoever makes it, it ends in the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from witness import published

from gends.pipeline.keeping.dataset import Dataset, open_dataset
from gends.pipeline.keeping.lease import newest_lease
from gends.pipeline.keeping.verify import verify

HISTORIES = int(os.environ.get("HISTORIES", "6"))
SCRIPT = Path(__file__).with_name("history.py")
STEPS = [
    f"{folder}.{end}"
    for folder in ("work", "shards", "manifest", "lease")
    for end in ("begun", "written", "synced", "checked", "named")
]
Run = Callable[..., int]

faults = st.builds(
    "{}:{}:kill".format, st.sampled_from([*STEPS, "seal.sealed", "degrade"]), st.integers(1, 12)
)
sessions = st.fixed_dictionaries(
    {
        "workers": st.sampled_from([1, 2, 4]),
        "order": st.integers(0, 2**32),
        "fault": faults,
    }
)


@pytest.fixture(scope="module")
def run_session() -> Iterator[Run]:
    """(root, workers, order, faults) -> exit code of the session's driver."""
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def run(**session: Any) -> int:
        process.stdin.write(json.dumps(session) + "\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    yield run
    process.stdin.close()
    assert process.wait(timeout=60) == 0
    process.stdout.close()


@pytest.fixture(scope="module")
def whole(photos: Path, build_dataset: Callable[..., Dataset], tmp_path_factory) -> Dataset:
    return build_dataset(photos, tmp_path_factory.mktemp("whole") / "root")


@pytest.fixture(scope="module")
def founded(photos: Path, found_dataset: Callable[..., Dataset], tmp_path_factory) -> Dataset:
    return found_dataset(photos, tmp_path_factory.mktemp("founded") / "root")


@pytest.mark.slow
@pytest.mark.timeout(7200)
@settings(max_examples=HISTORIES, suppress_health_check=[HealthCheck.too_slow])
@given(history=st.lists(sessions, min_size=1, max_size=4), last=sessions)
def test_any_history_ends_in_the_same_bytes(run_session, whole, founded, history, last):
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(shutil.copytree(founded.store.root, Path(scratch) / "root"))
        killed = open_dataset(root)
        calls = Path(scratch) / "calls"
        calls.mkdir()
        counting = f"degrade:0:kill:{calls}"  # never happens
        for number, session in enumerate(history):
            passes = Path(scratch) / f"passes-{number}"
            passes.mkdir()
            fault = f"{session['fault']}:{passes}"
            code = run_session(**session | {"root": str(root), "faults": f"{counting};{fault}"})
            event(f"the driver ended with {code}")
            assert code in (0, -signal.SIGKILL)
            for _, problems in verify(killed):
                assert not problems
        assert run_session(**last | {"root": str(root), "faults": counting}) == 0
        units = sum(killed.plan.num_units(shard) for shard in range(killed.plan.num_shards))
        in_flight = sum(session["workers"] for session in history)
        assert units <= len(list(calls.iterdir())) <= units + in_flight
        assert published(killed.store) == published(whole.store)
        assert not killed.store.names("work")
        assert newest_lease(killed.store) is None
