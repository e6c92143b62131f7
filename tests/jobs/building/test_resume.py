"""What a resuming driver touches: it lists a root, and opens no sealed shard."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gends.pipeline.format.manifest import manifest_name, shard_name
from gends.pipeline.keeping.dataset import Dataset

AUDITED = """
import json, sys
from collections import Counter

from gends.jobs.building.drive import ClusterOptions
from gends.jobs.building.progress import Progress
from gends.jobs.commands.run import build

root, touched = sys.argv[1], Counter()

def note(event, arguments):
    if event in ("open", "os.scandir", "os.listdir") and str(arguments[0]).startswith(root):
        # By folder: how often one beats in lease/ depends on the time.
        touched[event + " " + str(arguments[0])[len(root):].strip("/").partition("/")[0]] += 1

sys.addaudithook(note)
tally = build(None, {}, root, cluster=ClusterOptions(workers=1), progress=Progress("json"))
print(json.dumps({"made": tally.done, "resumed": tally.resumed, "touched": touched}))
"""


def resume(root: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", AUDITED, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.slow
@pytest.mark.long
def test_the_driver_touches_as_little_of_a_large_root_as_of_a_small_one(
    photos: Path, build_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    touched = {}
    for shards, missing in ((2, 1), (9, 3)):
        dataset = build_dataset(photos, tmp_path / f"{shards}", shard_size=6, limit=shards)
        plan, lost = dataset.plan, range(shards - missing, shards)
        assert plan.num_shards == shards
        for shard in lost:
            dataset.store.remove(shard_name(shard))
            dataset.store.remove(manifest_name(shard))
        killed = dataset.store.path(f".dataset.json.{'0' * 32}")
        killed.touch()
        report = resume(dataset.store.root)
        assert not killed.exists()
        assert report["made"] == sum(plan.count_of_shard(shard) for shard in lost)
        assert report["resumed"] == plan.num_requests() - report["made"]
        touched[shards] = {
            what: count for what, count in report["touched"].items() if not what.endswith(" lease")
        }
    assert touched[9] == touched[2]
    assert touched[9]["os.scandir manifest"] > 0
    assert not [what for what in touched[9] if what in ("open shards", "open manifest")]
