"""Sessions of a build as real processes, without Ray: forked in milliseconds, killed with -9.

Reads one session per line of standard input, as JSON, and answers with a line when every process
of it has ended:

    {"root": URL, "workers": N, "order": SEED, "faults": "POINT:COUNT:kill:FOLDER;..."}

A driver holds the lease, deals the missing units to N workers in a shuffled order, deals again what
killed workers left, and seals shards in another shuffled order. A fault happens to whoever passes
it.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable
from functools import partial

from gends.models.dry import DryDegrader
from gends.pipeline.format.manifest import sealed_shards
from gends.pipeline.keeping.commit import begun_shards, durable_units, seal, write_unit
from gends.pipeline.keeping.dataset import Dataset, open_dataset
from gends.pipeline.keeping.lease import hold
from gends.pipeline.keeping.reopened import close, settle
from gends.pipeline.making.judge import Judge
from gends.pipeline.making.load import load_views
from gends.pipeline.making.unit import make_unit
from gends.pipeline.storage.faults import VARIABLE, fault_point


def session(url: str, workers: int, order: random.Random) -> None:
    dataset = open_dataset(url)
    store, plan = dataset.store, dataset.plan
    with hold(store, patience=0.2) as lease:
        sealed = set(sealed_shards(store))
        for shard in begun_shards(store) & sealed:
            settle(store, shard, partial(lease.check, store))
        shards = [shard for shard in range(plan.num_shards) if shard not in sealed]
        while units := missing(dataset, shards):
            order.shuffle(units)
            shares = [units[worker::workers] for worker in range(workers)]
            running = [fork(partial(make, dataset, share)) for share in shares]
            for process in running:
                os.waitpid(process, 0)
        order.shuffle(shards)
        for shard in shards:
            check = partial(lease.check, store)
            digest = dataset.config_digest
            seal(store, shard, plan.unit_sizes(shard), dataset.config, digest, check=check)
            close(store, shard, check)


def missing(dataset: Dataset, shards: list[int]) -> list[tuple[int, int]]:
    found = []
    for shard in shards:
        num_units = dataset.plan.num_units(shard)
        durable = durable_units(dataset.store, shard, num_units)
        found += [(shard, index) for index in set(range(num_units)) - durable]
    return found


def make(dataset: Dataset, units: list[tuple[int, int]]) -> None:
    judge = Judge(dataset.config.filter)
    for shard, index in units:
        unit = dataset.plan.unit(shard, index)
        loaded = load_views(unit.views, dataset.base, dataset.config)
        fault_point("degrade")
        rows = make_unit(unit, loaded, {"dry": DryDegrader()}, judge, dataset.config)
        write_unit(dataset.store, shard, index, rows)


def fork(run: Callable[[], None]) -> int:
    process = os.fork()
    if process == 0:
        try:
            run()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return process


def main() -> None:
    for line in sys.stdin:
        wanted = json.loads(line)
        os.environ[VARIABLE] = wanted["faults"]
        order = random.Random(wanted["order"])
        ended, alive = os.pipe()  # shut when the last process of the session is gone
        driver = fork(partial(session, wanted["root"], wanted["workers"], order))
        os.close(alive)
        _, status = os.waitpid(driver, 0)
        os.read(ended, 1)
        os.close(ended)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
