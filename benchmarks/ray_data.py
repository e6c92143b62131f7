"""The same stages through Ray Core (as the build does) and through Ray Data, in one run.

    python benchmarks/ray_data.py --clean PHOTOS --engine dry --limit 60 --rounds 3

Both load, degrade, judge, encode and make units durable with one worker for the engine. Ray Data
gets its idiom: a dataset of units, `map` for loading, an actor pool for the engine, `map` for the
rest. Rounds alternate. Peak memory is that of all processes of each run, sampled.
"""

from __future__ import annotations

import json
import logging
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import psutil
import ray

from gends.jobs.building.build import Build
from gends.jobs.building.engines import make_engines
from gends.jobs.building.inputs import Inputs, gather
from gends.jobs.building.stages import Context
from gends.jobs.cluster.connect import connect
from gends.pipeline.keeping.commit import write_unit
from gends.pipeline.keeping.dataset import config_digest
from gends.pipeline.keeping.lease import Lease
from gends.pipeline.making.judge import Judge
from gends.pipeline.making.load import load_views
from gends.pipeline.making.unit import finish_unit, first_batch, make_batch
from gends.pipeline.planning.config_file import load_config
from gends.pipeline.storage.opening import open_store
from gends.pipeline.storage.store import Store


@click.command()
@click.option("--clean", required=True, type=click.Path(exists=True))
@click.option("--engine", default="dry")
@click.option("--limit", default=60)
@click.option("--resolution", default=256)
@click.option("--rounds", default=3)
def main(clean: str, engine: str, limit: int, resolution: int, rounds: int) -> None:
    settings = {
        "clean": clean,
        "engine": engine,
        "limit": limit,
        "resolution": resolution,
        "unit_images": 1,
        "redraws": 0,
    }
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    results: dict[str, list[dict[str, float]]] = {"ray_core": [], "ray_data": []}
    with tempfile.TemporaryDirectory() as scratch, connect(None, 1, 1) as resources:
        inputs = gather(load_config(None, settings), Path(scratch))

        def core(root: Path) -> None:
            build = Build(open_store(root), inputs.plan, _context(inputs, root), resources)
            build.fingerprint()
            build.run()

        def data(root: Path) -> None:
            _through_ray_data(inputs, root)

        for number in range(rounds):
            for name, run in (("ray_core", core), ("ray_data", data)):
                results[name].append(_measured(run, Path(scratch) / f"{name}-{number}", inputs))
                print(name, results[name][-1], flush=True)
    medians = {
        name: {key: statistics.median(r[key] for r in runs) for key in runs[0]}
        for name, runs in results.items()
    }
    print(json.dumps(medians))


def _context(inputs: Inputs, root: Path) -> Context:
    return Context(
        store=open_store(root),
        base=inputs.base,
        config=inputs.config,
        config_digest=config_digest(inputs.config),
        lease=_NO_LEASE,
    )


class _Free(Lease):
    """Nobody else builds here."""

    def check(self, store: Store) -> None:
        return


_NO_LEASE = _Free(number=0, holder="", host="", pid=0, boot="", born="")


class _Engine:
    def __init__(self, config: Any) -> None:
        self.config = config
        self.engines = make_engines(config)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        unit, loaded = row["unit"], row["loaded"]
        batch = first_batch(unit, loaded)
        return row | {"pairs": make_batch(self.engines, unit, loaded, batch, self.config)}


def _through_ray_data(inputs: Inputs, root: Path) -> None:
    context, plan = _context(inputs, root), inputs.plan
    config, base = inputs.config, inputs.base

    def load(row: dict[str, Any]) -> dict[str, Any]:
        return {"unit": row["item"], "loaded": load_views(row["item"].views, base, config)}

    def finish(row: dict[str, Any]) -> dict[str, Any]:
        rows = finish_unit(
            row["unit"], row["loaded"], row["pairs"], lambda batch: [], Judge(config.filter), config
        )
        write_unit(context.store, row["unit"].shard, row["unit"].index, rows)
        return {"made": len(rows)}

    units = [unit for shard in range(plan.num_shards) for unit in plan.units(shard)]
    dataset = ray.data.from_items(units, override_num_blocks=len(units))
    made = (
        dataset.map(load)
        .map(
            _Engine,
            fn_constructor_args=(config,),
            compute=ray.data.ActorPoolStrategy(size=1),
            num_cpus=1,
        )
        .map(finish)
    )
    assert made.sum("made") == plan.num_requests()


def _measured(run: Callable[[Path], None], root: Path, inputs: Inputs) -> dict[str, float]:
    peak, stop = [0], threading.Event()

    def sample() -> None:
        while not stop.wait(0.2):
            processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
            total = 0
            for process in processes:
                try:
                    total += process.memory_full_info().uss
                except psutil.Error:
                    continue
            peak[0] = max(peak[0], total)

    thread = threading.Thread(target=sample)
    thread.start()
    start = time.perf_counter()
    run(root)
    seconds = time.perf_counter() - start
    stop.set()
    thread.join()
    return {
        "pairs_per_second": inputs.plan.num_requests() / seconds,
        "seconds": seconds,
        "peak_mb": peak[0] / 2**20,
    }


if __name__ == "__main__":
    main()
