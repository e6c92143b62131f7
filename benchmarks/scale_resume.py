"""How long a build takes to find what is missing: what `scale.py` runs for each root.

    python benchmarks/scale_resume.py disk|s3 PHOTOGRAPHS ROOT SHARDS

Makes ROOT of so many shards of one photograph each (once, without Ray), all but the last; resumes
it by the real driver, ROUNDS times; prints the times of the fastest round as JSON.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROUNDS = 3
MARKS = ("imports", "opening", "lease", "ray", "listing")
"""Parts of the time from the start of the process to the first unit, in order."""


def main(kind: str, photographs: Path, root: Path, shards: int) -> None:
    from gends.pipeline.format.manifest import manifest_name, shard_name  # noqa: PLC0415
    from gends.pipeline.storage.opening import open_store  # noqa: PLC0415

    started = time.perf_counter()
    make_root(photographs, root, shards)
    made = time.perf_counter() - started
    with bucket_of(root) if kind == "s3" else contextlib.nullcontext(str(root)) as url:
        rounds = []
        for _ in range(ROUNDS):
            command = [sys.executable, __file__, "driver", url, str(time.time())]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            rounds.append(json.loads(done.stdout.splitlines()[-1]))
            store = open_store(url)
            store.remove(manifest_name(shards - 1))
            store.remove(shard_name(shards - 1))
    best = min(rounds, key=lambda times: times["ours"])
    print(json.dumps({"shards": shards, "making_the_root": round(made, 1)} | best))


def driver(url: str, started: float) -> None:
    """Resume a root, taking the time at which each part of the driver begins."""
    from gends.jobs.building import build, drive  # noqa: PLC0415
    from gends.jobs.building.progress import Progress  # noqa: PLC0415
    from gends.jobs.cluster import connect as cluster  # noqa: PLC0415
    from gends.jobs.commands import run  # noqa: PLC0415
    from gends.pipeline.planning.plan import Plan  # noqa: PLC0415

    times = [started, time.time()]

    def mark(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def marked(*arguments: Any, **options: Any) -> Any:
            if len(times) <= len(MARKS):
                times.append(time.time())
            return real(*arguments, **options)

        setattr(owner, name, marked)

    for owner, name in (
        (drive, "hold"),  # opened: catalog, identity and list of sealed shards agree
        (cluster, "connect"),  # the lease is held
        (drive, "check_identity"),  # Ray runs and the engine is loaded
        (Plan, "unit"),  # listed: the first unit to make is known
    ):
        mark(owner, name)
    assert build.Plan is Plan
    options = drive.ClusterOptions(workers=1)
    tally = run.build(None, {}, url, cluster=options, progress=Progress("json"))
    assert tally.done
    assert len(times) == 1 + len(MARKS)
    parts = {n: round(b - a, 3) for n, a, b in zip(MARKS, times, times[1:], strict=False)}
    ours = round(sum(parts[name] for name in ("opening", "lease", "listing")), 3)
    print(json.dumps(parts | {"ours": ours, "all": round(times[-1] - started, 3)}))


def make_root(photographs: Path, root: Path, shards: int) -> None:
    """Found a root and make all shards but the last, in this process."""
    from gends.jobs.building.inputs import gather  # noqa: PLC0415
    from gends.models.dry import DryDegrader  # noqa: PLC0415
    from gends.models.processor import with_processor  # noqa: PLC0415
    from gends.pipeline.keeping.commit import seal, write_unit  # noqa: PLC0415
    from gends.pipeline.keeping.dataset import config_digest  # noqa: PLC0415
    from gends.pipeline.keeping.reopened import close  # noqa: PLC0415
    from gends.pipeline.making.judge import Judge  # noqa: PLC0415
    from gends.pipeline.making.load import load_views  # noqa: PLC0415
    from gends.pipeline.making.unit import make_unit  # noqa: PLC0415
    from gends.pipeline.planning.config import BuildConfig  # noqa: PLC0415
    from gends.pipeline.storage.opening import open_store  # noqa: PLC0415

    config = BuildConfig(
        clean=str(photographs), engine="dry", resolution=16, shard_size=6, limit=shards
    )
    scratch = root.with_name(f"{root.name}-catalog")
    scratch.mkdir()
    inputs = gather(config, scratch)
    config, store, engine = inputs.config, open_store(root), DryDegrader()
    judge, digest = Judge(config.filter), config_digest(config)
    inputs.found(store, with_processor(engine.fingerprint(), torch=False))
    for shard in range(shards - 1):
        unit = inputs.plan.unit(shard, 0)
        loaded = load_views(unit.views, inputs.base, config)
        write_unit(store, shard, 0, make_unit(unit, loaded, {engine.engine: engine}, judge, config))
        seal(store, shard, inputs.plan.unit_sizes(shard), config, digest)
        close(store, shard, lambda: None)


@contextlib.contextmanager
def bucket_of(root: Path) -> Iterator[str]:
    """URL of a copy of a root in a bucket of a local S3 server."""
    import boto3  # noqa: PLC0415
    from moto.server import ThreadedMotoServer  # noqa: PLC0415

    from gends.pipeline.storage.opening import open_store  # noqa: PLC0415

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it would log every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).create_bucket(Bucket="bucket")
    url = f"s3://bucket/{uuid.uuid4().hex}"
    store = open_store(url)
    for path in root.rglob("*"):
        if path.is_file():
            with store.publish(path.relative_to(root).as_posix()) as file:
                file.write(path.read_bytes())
    yield url
    server.stop()


if __name__ == "__main__":
    if sys.argv[1] == "driver":
        driver(sys.argv[2], float(sys.argv[3]))
    else:
        main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
