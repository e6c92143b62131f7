"""`gends-build train restorer`: checks what is asked for, starts the ranks, tells how they do."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from gends.jobs.cluster.connect import Resources, connect
from gends.jobs.console.alive import alive
from gends.jobs.training.inputs import device_of, source_of, start_of
from gends.jobs.training.launch import Launch, LostRankError
from gends.jobs.training.report import print_step, reporter, stopped
from gends.jobs.training.restorer.checks import check_inputs
from gends.jobs.training.restorer.rank import train_rank
from gends.jobs.training.restorer.settings import RestorerSettings
from gends.models.training.loop import newest_step
from gends.models.training.progress import StepReport

WORDS = ("source", "note")
"""Of hyperparameters: what people read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and how wide a training runs; none of this decides which pairs a step sees."""

    address: str | None
    workers: int | None
    device: str | None


def train_restorer(settings: RestorerSettings, place: Place, *, tensorboard: bool) -> Path:
    """Train, or go on with the run in the settings' folder; returns the folder of the result.

    Raises:
        click.exceptions.Exit: it was asked to stop, and goes on when called again.
        OtherRunError: the folder holds a run on other data or with other settings.
        SharedSourcesError: photographs to validate on are trained on.
        BuildError: Ray does not start, or its processes die without getting further.
    """
    if place.device == "cuda" and place.address is None:
        device_of(place.device)
    _check_divides(settings, place.workers or 1)
    with alive("opening the datasets"):
        unchecked = check_inputs(settings)
    for why in unchecked:
        click.echo(f"NOT checked whether --validation was trained on before: {why}", err=True)
    identity = identity_of(settings)
    if (
        newest_step(settings.folder, identity) == settings.hyperparameters.steps
        and settings.result.exists()
    ):
        click.echo("trained to its end already", err=True)
        return settings.result
    listener = _Listener(settings.folder if tensorboard else None)
    on_gpu = place.device != "cpu"
    with contextlib.ExitStack() as stack:
        with alive("starting Ray"):
            cluster = connect(place.address, place.workers, settings.threads, on_gpu=on_gpu)
            resources = stack.enter_context(cluster)
        launch = Launch(
            work=train_rank,
            settings={"settings": settings, "identity": identity},
            ranks=_ranks(settings, place, resources),
            cpus=resources.cpus_per_worker,
            on_gpu=bool(resources.gpus_per_worker),
            folder=settings.folder,
        )
        _run(launch, listener, identity)
    ended = listener.ended
    if ended is None or not ended["finished"]:
        raise stopped(ended["step"] if ended else newest_step(settings.folder, identity))
    return settings.result


def identity_of(settings: RestorerSettings) -> dict[str, Any]:
    """What decides the weights, as JSON values: going on with a run under others is refused."""
    data, chosen = settings.data, asdict(settings.hyperparameters)
    names = ("arch", "preset", "pretrained", "seed", "bf16")
    return {
        **{name: getattr(settings, name) for name in names},
        **start_of(settings.model),
        "hyperparameters": {name: value for name, value in chosen.items() if name not in WORDS},
        "data": {str(number): source_of(root) for number, root in enumerate(data.all_roots)},
        "originals": len(data.original),
        "mix": data.mix,
        "epoch_pairs": data.length,
        "split": data.split,
        "degradations": data.degradations,
    }


def _ranks(settings: RestorerSettings, place: Place, resources: Resources) -> int:
    if place.device == "cuda" and not resources.gpus_per_worker:
        raise click.BadParameter("the cluster has no GPU", param_hint="--device")
    ranks = place.workers or (resources.fitting() if resources.gpus_per_worker else 1)
    _check_divides(settings, ranks)
    return ranks


def _check_divides(settings: RestorerSettings, ranks: int) -> None:
    batch_size = settings.hyperparameters.batch_size
    if batch_size % ranks:
        raise ValueError(
            f"--batch-size {batch_size} cannot be divided among {ranks} workers: give a multiple, "
            "or other --workers"
        )


def _run(launch: Launch, listener: _Listener, identity: Mapping[str, Any]) -> None:
    """Start the ranks again when one is lost, as long as each start gets further."""
    while True:
        before = newest_step(launch.folder, identity)
        try:
            launch.run(listener)
            return
        except LostRankError as error:
            step = newest_step(launch.folder, identity)
            if step <= before or error.stopping:
                raise
            click.echo(f"{error}; going on from step {step}", err=True)


class _Listener:
    """Prints what the ranks tell."""

    def __init__(self, tensorboard: Path | None) -> None:
        self.ended: Mapping[str, Any] | None = None
        self._report = reporter(tensorboard)

    def __call__(self, note: Mapping[str, Mapping[str, Any]]) -> None:
        ((kind, facts),) = note.items()
        if kind == "step":
            print_step(facts["step"], facts["steps"])
        elif kind == "progress":
            self._report(StepReport(**facts))
        elif kind == "figures":
            click.echo(f"step {facts['step']} validated  {_decibels(facts)}", err=True)
        else:
            self.ended = facts


def _decibels(figures: Mapping[str, Any]) -> str:
    parts = (
        f"{name} {value:.2f} dB (degraded {figures['psnr_lq'][name]:.2f})"
        for name, value in figures["psnr"].items()
    )
    return "PSNR  " + "  ".join(parts)
