"""The pairs of a founded dataset through Ray Data and its write_webdataset, as its users would.

python ray_data_build.py FOUNDED OUT WORKERS [CHECKPOINTS]

One row per request in, one sample per request out. With CHECKPOINTS, a folder, Ray Data's own
checkpoint is on, and the same command again resumes.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import ray
from ray.data.checkpoint import CheckpointConfig

from gends.models.dry import DryDegrader
from gends.pipeline.keeping.dataset import Dataset, open_dataset
from gends.pipeline.making.judge import Judge
from gends.pipeline.making.load import load_views
from gends.pipeline.making.unit import make_unit
from gends.pipeline.types import WorkUnit

ROWS_PER_TAR = 96


class Make:
    """A request in, a pair out; neighbouring requests share the decoded photograph."""

    def __init__(self, founded: str) -> None:
        dataset = open_dataset(founded)
        self.dataset = dataset
        self.judge = Judge(dataset.config.filter)
        self.load = lru_cache(maxsize=4)(self._load)

    def _load(self, shard: int, index: int) -> tuple[WorkUnit, Any]:
        unit = self.dataset.plan.unit(shard, index)
        return unit, load_views(unit.views, self.dataset.base, self.dataset.config)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        unit, loaded = self.load(row["shard"], row["index"])
        (view,) = unit.views
        (request,) = (each for each in view.requests if each.key == row["__key__"])
        alone = replace(unit, views=(replace(view, requests=(request,)),))
        (made,) = make_unit(alone, loaded, {"dry": DryDegrader()}, self.judge, self.dataset.config)
        return {
            "__key__": row["__key__"],
            "gt.png": made["gt_bytes"] or b"",
            "lq.png": made["lq_bytes"] or b"",
            "json": json.dumps({"status": made["status"]}),
        }


def write_requests(dataset: Dataset, folder: Path) -> None:
    """One row per request, in files of a few, as a catalog of Ray Data's would be."""
    rows = [
        {"__key__": request.key, "shard": shard, "index": unit.index}
        for shard in range(dataset.plan.num_shards)
        for unit in dataset.plan.units(shard)
        for view in unit.views
        for request in view.requests
    ]
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(rows), ROWS_PER_TAR):
        table = pa.Table.from_pylist(rows[start : start + ROWS_PER_TAR])
        pq.write_table(table, folder / f"{start:08d}.parquet")


def main(founded: str, out: str, workers: str, checkpoints: str = "") -> None:
    ray.init("local", num_cpus=int(workers) + 2, include_dashboard=False, log_to_driver=False)
    if checkpoints:
        ray.data.DataContext.get_current().checkpoint_config = CheckpointConfig(
            id_column="__key__", checkpoint_path=checkpoints
        )
    requests = Path(founded) / "requests"
    if not requests.exists():
        write_requests(open_dataset(founded), requests)
    tables = len(list(requests.iterdir()))
    ray.data.read_parquet(str(requests), override_num_blocks=tables).map(
        Make,
        fn_constructor_args=(founded,),
        compute=ray.data.ActorPoolStrategy(size=int(workers)),
        num_cpus=1,
    ).write_webdataset(out, encoder=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
