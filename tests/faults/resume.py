"""Go on with a build in one plain process: the stages of the Ray job, without Ray.

python resume.py ROOT PATIENCE [STORE-TIMEOUT]
"""

import sys

from gends.models.dry import DryDegrader
from gends.pipeline.commit import durable_units, seal, work_folder, write_unit
from gends.pipeline.dataset import open_dataset
from gends.pipeline.judge import Judge
from gends.pipeline.lease import hold
from gends.pipeline.load import load_views
from gends.pipeline.manifest import sealed_shards
from gends.pipeline.unit import make_unit


def main() -> None:
    dataset = open_dataset(sys.argv[1])
    store, plan, config = dataset.store, dataset.plan, dataset.config
    if len(sys.argv) > 3:
        store = store.with_timeout(float(sys.argv[3]))
    made = 0
    with hold(store, patience=float(sys.argv[2])) as lease:
        sealed = set(sealed_shards(store))
        for name in store.names("work"):
            if int(name) in sealed:
                store.remove_folder(work_folder(int(name)))
        for shard in sorted(set(range(plan.num_shards)) - sealed):
            durable = durable_units(store, shard)
            for index in set(range(plan.num_units(shard))) - durable:
                unit = plan.unit(shard, index)
                loaded = load_views(unit.views, dataset.base, config)
                rows = make_unit(unit, loaded, DryDegrader(), Judge(config.filter), config)
                write_unit(store, shard, index, rows)
                made += 1
            seal(
                *(store, shard, plan.num_units(shard), config, dataset.config_digest),
                check=lambda: lease.check(store),
            )
    print(made)


if __name__ == "__main__":
    main()
