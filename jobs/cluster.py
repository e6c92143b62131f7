"""Join a Ray cluster or start a local one, and decide how many workers fit."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass

import ray

LOCAL_STAGE_SLOTS = 2
"""Processes that decode and encode beside the workers of a local Ray."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """How the engine's workers are placed."""

    workers: int
    cpus_per_worker: int
    gpus_per_worker: int

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")


@contextlib.contextmanager
def connect(address: str | None, workers: int | None, threads: int) -> Iterator[Resources]:
    """Connect to `address`, or start Ray on this machine, for the duration of the block.

    A worker gets one GPU where there are any, else `threads` CPUs. Without `workers` there is one
    per GPU, or as many as the CPUs allow.

    Raises:
        ConnectionError: no cluster answers at `address`.
        ValueError: more GPU workers than GPUs, or none.
    """
    # Ray would otherwise copy and ship the current folder when it is started by a tool it knows.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address is None:
        gpus = _local_gpus()
        wanted = workers or gpus or max(1, (os.cpu_count() or 1) // threads)
        ray.init(
            num_cpus=wanted * threads + LOCAL_STAGE_SLOTS,
            num_gpus=gpus,
            include_dashboard=False,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    else:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
        resources = ray.cluster_resources()
        gpus = int(resources.get("GPU", 0))
        wanted = workers or gpus or max(1, int(resources.get("CPU", 1)) // (2 * threads))
    try:
        if gpus and wanted > gpus:
            raise ValueError(f"--workers {wanted}, but there are {gpus} GPUs; one worker holds one")
        yield Resources(
            workers=wanted, cpus_per_worker=1 if gpus else threads, gpus_per_worker=min(gpus, 1)
        )
    finally:
        ray.shutdown()


def _local_gpus() -> int:
    import torch  # noqa: PLC0415  slow, and a cluster's head needs no GPU

    return torch.cuda.device_count()
