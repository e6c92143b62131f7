"""Whether all processes of a build would make the same bytes: engines, versions, processors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from gends.jobs.errors import BuildError
from gends.models.processor import MIXED, PROCESSOR, of_processor, processor, without_processor
from gends.pipeline.format.identity import read_identity
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.storage.opening import open_store

WAY_OUT = (
    "give the cluster machines of one kind with the same versions installed, or, where nothing but "
    f"the {PROCESSOR} differs, go on with --mixed-processors: pairs then differ in last bits"
)


def uses_torch(config: BuildConfig) -> bool:
    """Whether PyTorch has a say in the bytes of a dataset."""
    return "gendeg" in config.engines or bool(config.filter.metrics)


def compare(one: Mapping[str, str], other: Mapping[str, str], *, mixed: bool) -> None:
    """Compare the fingerprints of two workers; where they may be `mixed`, processors do not count.

    Raises:
        BuildError: they differ.
    """
    differ = [
        f"{name} ({one.get(name)} and {other.get(name)})"
        for name in sorted(one.keys() | other.keys())
        if one.get(name) != other.get(name) and not (mixed and of_processor(name))
    ]
    if differ:
        raise BuildError(f"workers differ in {', '.join(differ)}; {WAY_OUT}")


def founding(fingerprint: Mapping[str, str], *, mixed: bool) -> dict[str, str]:
    """The fingerprint as a new dataset records it."""
    return without_processor(fingerprint) | MIXED if mixed else dict(fingerprint)


def compare_machines(fingerprint: Mapping[str, str]) -> None:
    """Compare the processors of all machines of the cluster: stages run on any.

    Raises:
        BuildError: they differ.
    """
    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    if len(nodes) < 2:
        return
    task: Any = _named_processor
    places = (NodeAffinitySchedulingStrategy(node, soft=False) for node in nodes)
    asked = [task.options(scheduling_strategy=place).remote() for place in places]
    for found in ray.get(asked):
        compare({name: fingerprint[name] for name in found}, found, mixed=False)


@ray.remote(num_cpus=0)
def _named_processor() -> dict[str, str]:
    return _here(torch=False)


@lru_cache(maxsize=1)
def check_process(root: str, torch: bool) -> None:
    """See once in each process that its processor is one that the dataset was begun with.

    Processes come up again on other machines, and machines join while a build runs.

    Raises:
        BuildError: it is another.
    """
    known, here = _recorded(root), _here(torch=torch)
    compare({name: known.get(name, "none") for name in here}, here, mixed=False)


def check_engine(root: str, fingerprint: Mapping[str, str], *, mixed: bool) -> None:
    """See that a worker's engine is the one that the dataset was begun with.

    Raises:
        BuildError: it is another.
    """
    compare(_recorded(root), fingerprint, mixed=mixed)


def _recorded(root: str) -> dict[str, str]:
    fingerprint: dict[str, str] = read_identity(open_store(root))["engine"]
    return fingerprint


def _here(*, torch: bool) -> dict[str, str]:
    return {f"{PROCESSOR}.{name}": value for name, value in processor(torch=torch).items()}
