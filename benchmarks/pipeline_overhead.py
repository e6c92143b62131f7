"""What the pipeline costs: pairs/s of a whole build over pairs/s of the bare model, in one run.

    python benchmarks/pipeline_overhead.py --clean PHOTOS --workers 1 --rounds 3
    python benchmarks/pipeline_overhead.py --memory

Bare means: as many processes as the build has workers, each with the engine loaded and its
photographs decoded, calling the same micro-batches and doing nothing else. Rounds alternate, so
that a drifting machine hurts both alike. `--memory` compares the peak memory of a driver that walks
through plans of 1,000 and of 1,000,000 photographs.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.parquet as pq

from gends.jobs.building.drive import ClusterOptions
from gends.jobs.building.inputs import gather
from gends.jobs.building.progress import Progress
from gends.jobs.commands.run import build
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.planning.config_file import load_config


@click.command()
@click.option("--clean", type=click.Path(exists=True, path_type=Path))
@click.option("--workers", default=1)
@click.option("--limit", default=12)
@click.option("--engine", default="gendeg")
@click.option("--rounds", default=3)
@click.option("--memory", is_flag=True)
def main(clean: Path, workers: int, limit: int, engine: str, rounds: int, memory: bool) -> None:
    if memory:
        print(json.dumps({str(n): _peak_of_plan(n) for n in (1000, 1_000_000)}))
        return
    settings = {"clean": str(clean), "limit": limit, "engine": engine, "unit_images": 1}
    bare, whole = [], []
    for number in range(rounds):
        bare.append(_bare(settings, workers))
        whole.append(_whole(settings, workers))
        print(f"round {number}: bare {bare[-1]:.3f}, build {whole[-1]:.3f} pairs/s", flush=True)
    ratios = [w / b for w, b in zip(whole, bare, strict=True)]
    print(
        json.dumps(
            {
                "workers": workers,
                "bare_pairs_per_second": statistics.median(bare),
                "build_pairs_per_second": statistics.median(whole),
                "ratios": ratios,
                "median_ratio": statistics.median(ratios),
            }
        )
    )


def _whole(settings: dict[str, Any], workers: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        tally = build(
            *(None, settings, f"{folder}/root"),
            cluster=ClusterOptions(workers=workers),
            progress=Progress(),
        )
        # Redrawn pairs went through the engine too.
        return (tally.done + tally.redrawn) / tally.seconds


def _bare(settings: dict[str, Any], workers: int) -> float:
    context = multiprocessing.get_context("spawn")
    ready, go = context.Barrier(workers + 1), context.Event()
    counts: Any = context.Queue()
    processes = [
        context.Process(target=_bare_worker, args=(settings, n, workers, ready, go, counts))
        for n in range(workers)
    ]
    for process in processes:
        process.start()
    ready.wait()
    start = time.perf_counter()
    go.set()
    made = sum(counts.get() for _ in processes)
    seconds = time.perf_counter() - start
    for process in processes:
        process.join()
    return made / seconds


def _bare_worker(
    settings: dict[str, Any], number: int, workers: int, ready: Any, go: Any, counts: Any
) -> None:
    from gends.jobs.building.engines import make_engines  # noqa: PLC0415
    from gends.pipeline.making.load import load_views  # noqa: PLC0415
    from gends.pipeline.making.unit import first_batch, make_batch  # noqa: PLC0415

    config = load_config(None, settings)
    with tempfile.TemporaryDirectory() as scratch:
        inputs = gather(config, Path(scratch))
        plan, units = inputs.plan, []
        for shard in range(plan.num_shards):
            units += list(plan.units(shard))[number::workers]
        loaded = [load_views(unit.views, inputs.base, config) for unit in units]
    engines = make_engines(config)
    ready.wait()
    go.wait()
    made = 0
    for unit, pictures in zip(units, loaded, strict=True):
        batch = first_batch(unit, pictures)
        made += len(make_batch(engines, unit, pictures, batch, config))
    counts.put(made)


def _peak_of_plan(images: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--walk", str(images)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


def _walk(images: int) -> None:
    """Read a catalog of so many photographs, plan all of it, unit after unit."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "list.parquet"
        with pq.ParquetWriter(table, pa.schema([("uri", pa.string())])) as writer:
            for start in range(0, images, 10_000):
                names = [f"a/{n:08d}.jpg" for n in range(start, min(start + 10_000, images))]
                writer.write_table(pa.table({"uri": names}))
        start_time = time.perf_counter()
        config = BuildConfig(clean=str(table), per_image=1)
        plan = gather(config, Path(folder)).plan
        requests = sum(
            unit.num_requests for shard in range(plan.num_shards) for unit in plan.units(shard)
        )
        seconds = time.perf_counter() - start_time
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peak_mb": peak, "seconds": seconds, "requests": requests}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--walk"]:
        _walk(int(sys.argv[2]))
    else:
        main()
