"""Go on with a build in one plain process: the stages of the Ray job, without Ray.

python resume.py ROOT PATIENCE [STORE-TIMEOUT [retry]]

Without arguments it does what lines of JSON on standard input say (see `plain_build`), each build
in a process that is forked in milliseconds.
"""

import json
import os
import sys
from functools import partial

from gends.models.dry import DryDegrader
from gends.pipeline.format.manifest import sealed_shards
from gends.pipeline.keeping.commit import begun_shards, begun_units, read_kept, seal, write_unit
from gends.pipeline.keeping.dataset import Dataset, open_dataset
from gends.pipeline.keeping.lease import hold
from gends.pipeline.keeping.reopened import close, settle
from gends.pipeline.keeping.retry import failed_shards, reopen, without_kept
from gends.pipeline.making.judge import Judge
from gends.pipeline.making.load import load_views
from gends.pipeline.making.unit import in_order, make_unit
from gends.pipeline.storage.store import Store


def serve() -> None:
    for line in sys.stdin:
        wanted = json.loads(line)
        if "wait" in wanted:
            _, status = os.waitpid(wanted["wait"], 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        process = os.fork()
        if process == 0:
            os.environ.clear()
            os.environ.update(wanted["environment"])
            for number in (1, 2):
                os.dup2(os.open(wanted["output"][number - 1], os.O_WRONLY | os.O_CREAT), number)
            code = 1
            try:
                build(wanted["arguments"])
                code = 0
            except BaseException:
                sys.excepthook(*sys.exc_info())
            sys.stdout.flush()
            os._exit(code)
        print(process, flush=True)


def build(arguments: list[str]) -> None:
    dataset = open_dataset(arguments[0])
    store, plan = dataset.store, dataset.plan
    if len(arguments) > 2:
        store = store.with_timeout(float(arguments[2]))
    made = 0
    with hold(store, patience=float(arguments[1])) as lease:
        check = partial(lease.check, store)
        if arguments[3:] == ["retry"]:
            for shard in failed_shards(dataset, sealed_shards(store), set()):
                reopen(dataset, shard, set(), check)
        sealed = set(sealed_shards(store))
        for shard in begun_shards(store) & sealed:
            if settle(store, shard, check):
                sealed.remove(shard)
        for shard in sorted(set(range(plan.num_shards)) - sealed):
            num_units = plan.num_units(shard)
            durable, kept = begun_units(store, shard, num_units)
            for index in set(range(num_units)) - durable:
                make(dataset, store, shard, index, index in kept)
                made += 1
            digest = dataset.config_digest
            seal(store, shard, plan.unit_sizes(shard), dataset.config, digest, check=check)
            close(store, shard, check)
    print(made)


def make(dataset: Dataset, store: Store, shard: int, index: int, partly: bool) -> None:
    config, unit = dataset.config, dataset.plan.unit(shard, index)
    rows = read_kept(store, shard, index) if partly else []
    if partly:
        unit = without_kept(store, unit)
    loaded = load_views(unit.views, dataset.base, config)
    rows += make_unit(unit, loaded, {"dry": DryDegrader()}, Judge(config.filter), config)
    write_unit(store, shard, index, in_order(rows))


if __name__ == "__main__":
    build(sys.argv[1:]) if sys.argv[1:] else serve()
