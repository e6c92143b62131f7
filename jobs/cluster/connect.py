"""Join a Ray cluster or start a local one, and decide how many workers fit."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import ray
from ray.job_config import JobConfig

from gends.jobs.cluster import ray_processes
from gends.jobs.cluster.cpus import available_cpus
from gends.jobs.cluster.deadline import limited
from gends.jobs.errors import BuildError
from gends.pipeline.names import printable

STAGE_SLOTS = 2
"""Processes that decode and encode beside the workers, at least."""
START_SECONDS = 300.0
"""Ray needs 3 to 10, and on machines that are very busy minutes."""
SLOW_SECONDS = 20.0
"""A start that fails later than this failed because the machine is busy: it is tried again."""
SETTINGS = {
    # Ray would otherwise copy and ship the current folder when it is started by a tool it knows.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",  # Ray would report to its makers
    # A stage that waits for a redraw lets Ray start one more process; Ray ends idle ones after a
    # second and starts them anew, a second of CPU each.
    "RAY_idle_worker_killing_time_threshold_ms": "60000",
    # How long Ray's processes wait for each other: by default half a minute, which a busy machine
    # needs to import what they need.
    "RAY_gcs_server_port_wait_time_s": "120",
    "RAY_raylet_start_wait_time_s": "120",
    "RAY_agent_register_timeout_ms": "120000",
    "RAY_worker_register_timeout_seconds": "180",
}
"""Of Ray, as environment variables; those of the user come first."""
ELSEWHERE = "/tmp/ray"
"""For Ray's temporary files, where the usual place will not do."""
LONGEST_TEMPORARY = 40
"""Ray puts sockets 60 characters deeper, and the kernel allows their paths 107."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a worker takes of a cluster."""

    asked: int | None
    """Workers that the user asked for; None takes as many as fit."""
    cpus_per_worker: int
    gpus_per_worker: int

    def fitting(self) -> int:
        """Workers that fit into the cluster as it is now, at most those asked for; maybe none."""
        most, usual = self._room()
        return min(most, self.asked or usual)

    def check(self) -> None:
        """Raise ValueError unless the workers that were asked for fit, or one without."""
        most, _ = self._room()
        wanted = self.asked or 1
        if wanted > most:
            cpus, gpus = _cluster()
            raise ValueError(
                f"{wanted} workers of {self.cpus_per_worker} CPUs do not fit into {cpus} CPUs and "
                f"{gpus} GPUs: each holds one GPU where there are any, and one CPU stays for "
                "loading and encoding; lower --workers or --threads"
            )

    def _room(self) -> tuple[int, int]:
        """Workers that fit at most, and how many leave room for stages beside them."""
        cpus, gpus = _cluster()
        # One slot at least stays free: an engine waits for photographs that nobody loads.
        most = max(0, (cpus - 1) // self.cpus_per_worker)
        if self.gpus_per_worker:
            return min(most, gpus), gpus
        return most, max(1, (cpus - STAGE_SLOTS) // self.cpus_per_worker)


@contextlib.contextmanager
def connect(
    address: str | None, workers: int | None, threads: int, *, on_gpu: bool = True
) -> Iterator[Resources]:
    """Connect to `address`, or start Ray on this machine, for the duration of the block.

    A worker that works `on_gpu` gets one GPU where there are any, else `threads` CPUs. Without
    `workers` there is one per GPU, or as many as the CPUs allow.

    Raises:
        BuildError: Ray does not start.
        ConnectionError: no cluster answers at `address`.
        ValueError: more workers than fit.
    """
    with contextlib.ExitStack() as stack:
        # Ray writes its warnings to standard output, where --json has its own lines.
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        stack.callback(_stop)
        # Ray waits for ever when one of its workers dies before the driver is connected.
        with _uninterrupted(), limited(START_SECONDS, "Ray did not start; run the command again"):
            _start(address, (workers or 1) * threads)
        yield _place(workers, threads, on_gpu)


def _start(address: str | None, cpus: int) -> None:
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    options: dict[str, Any] = {
        "logging_level": logging.ERROR,
        "log_to_driver": False,
        # Else workers look for modules in the current folder, and people stand among photographs
        # and what came with them.
        "job_config": JobConfig(_client_job=True),
    }
    if address is not None:
        _check_answers(address)
        _join(address, options)
        return
    options |= {
        "num_cpus": max(available_cpus(), cpus) + STAGE_SLOTS,
        "include_dashboard": False,
        "_temp_dir": _temporary_folder(),
    }
    began = time.monotonic()
    try:
        _start_here(options)
    except Exception as error:  # a bare Exception is what Ray raises
        if time.monotonic() - began < SLOW_SECONDS:
            raise _no_start(error, options["_temp_dir"]) from error
        _say(f"Ray did not start in time, as this machine is busy ({error}); it is started again")
    else:
        return
    _stop()
    try:
        _start_here(options)
    except Exception as error:
        raise _no_start(error, options["_temp_dir"]) from error


def _start_here(options: dict[str, Any]) -> None:
    with ray_processes.apart():
        ray.init("local", **options)  # the default would join any cluster on this machine


def _no_start(error: Exception, folder: str) -> BuildError:
    there = next(path for path in (Path(folder), *Path(folder).parents) if path.exists())
    room = shutil.disk_usage(there).free >> 20
    return BuildError(
        f"Ray does not start on this machine: {error} ({folder} has {room} MB free; TMPDIR names "
        "another folder)"
    )


def _say(what: str) -> None:
    click.echo(f"gends-build: {what}", err=True)


def _check_answers(address: str) -> None:
    """Ray itself would try for many minutes where nothing listens."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise _no_cluster(address, error.strerror or str(error)) from error


def _no_cluster(address: str, why: str) -> ConnectionError:
    return ConnectionError(
        f"no Ray cluster answers at {address} ({why}); start one with 'ray start --head', or "
        "leave --address out for a Ray of the build's own"
    )


def _join(address: str, options: dict[str, Any]) -> None:
    try:
        with _silent_stderr():  # Ray writes a line for each try that fails
            ray.init(address, **options)
    except ConnectionError as error:
        raise _no_cluster(address, str(error)) from error


def _stop() -> None:
    with _uninterrupted(), _silent_stderr():
        ray.shutdown()
        ray_processes.end()


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back: interrupted while it starts or stops, Ray leaves processes behind."""
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: held.append(number))
    # Ray's threads inherit what is blocked: later, too, Ctrl-C comes to the main thread.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(signal.SIGINT, before)
        if held:
            raise KeyboardInterrupt


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Keep Ray's native part from writing about every task that a shutdown ends."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


def _place(workers: int | None, threads: int, on_gpu: bool) -> Resources:
    gpu = on_gpu and _cluster()[1] > 0
    resources = Resources(
        asked=workers, cpus_per_worker=1 if gpu else threads, gpus_per_worker=int(gpu)
    )
    resources.check()
    return resources


def _cluster() -> tuple[int, int]:
    """CPUs and GPUs of the machines that are in the cluster now."""
    available: dict[str, float] = ray.cluster_resources()
    return int(available.get("CPU", 0)), int(available.get("GPU", 0))


def in_use() -> str:
    """What the cluster has, and what of it is taken, for people."""
    free: dict[str, float] = ray.available_resources()
    parts = [
        f"{total - int(free.get(name, 0))} of {total} {name}s"
        for name, total in zip(("CPU", "GPU"), _cluster(), strict=True)
        if total
    ]
    return f"{' and '.join(parts) or 'no CPU is there, so 0'} of the cluster are in use"


def _temporary_folder() -> str:
    """Where Ray's session goes: beside other temporary files, if Ray can work there."""
    wanted = os.path.abspath(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir())
    if len(wanted) > LONGEST_TEMPORARY:
        why = "too long for the paths of sockets"
    elif not wanted.isascii():
        why = "not in ASCII, and Ray does not start there"
    else:
        return os.path.join(wanted, "ray")
    _say(f"Ray keeps its temporary files in {ELSEWHERE}: {printable(wanted)} is {why}")
    return ELSEWHERE
