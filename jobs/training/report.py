"""What a training tells people: lines of progress, TensorBoard, and where it was stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from gends.jobs.cluster import sigterm
from gends.jobs.console.duration import duration
from gends.jobs.console.last_line import PLAIN_SECONDS
from gends.models.training.progress import StepReport


class StepTeller:
    """Tells the number of a step now and then, where no line of progress has: the first at once."""

    def __init__(self, tell: Callable[[int], Any]) -> None:
        """`tell` gets the number."""
        self._tell = tell
        self._next = time.monotonic()

    def __call__(self, step: int) -> None:
        """A step is done."""
        if time.monotonic() >= self._next:
            self._tell(step)
            self.told()

    def told(self) -> None:
        """A line of progress was printed."""
        self._next = time.monotonic() + PLAIN_SECONDS


def print_step(step: int, steps: int) -> None:
    """One line."""
    click.echo(f"step {step}/{steps}", err=True)


def reporter(tensorboard: Path | None) -> Callable[[StepReport], None]:
    """Prints progress; also writes it to the folder `tensorboard` in the run's, if one is given.

    Raises:
        click.UsageError: the tensorboard package is not installed.
    """
    if tensorboard is None:
        return _print
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415
    except ImportError as error:
        raise click.UsageError(
            "--tensorboard needs the tensorboard package: pip install 'gends[train]'"
        ) from error
    # A resumed run writes a new file; steps that run again replace those of the lost process.
    writer = SummaryWriter(tensorboard / "tensorboard")

    def report(progress: StepReport) -> None:
        _print(progress)
        figures = {
            "loss": progress.loss,
            "learning_rate": progress.learning_rate,
            "images_per_second": progress.images_per_second,
            **progress.metrics,
        }
        for name, value in figures.items():
            writer.add_scalar(name, value, progress.step)
        writer.flush()

    return report


def _print(progress: StepReport) -> None:
    """One line."""
    metrics = "  ".join(f"{name} {value:.4g}" for name, value in progress.metrics.items())
    click.echo(
        f"step {progress.step}/{progress.steps}  loss {progress.loss:.4f}  {metrics}  "
        f"{progress.images_per_second:.1f} images/s  rate {progress.learning_rate:.2e}  "
        f"ETA {duration(progress.seconds_left)}",
        err=True,
    )


def stopped(step: int) -> click.exceptions.Exit:
    """Say where a training that was asked to stop has, and the exit code for how it was asked."""
    click.echo(f"stopped at step {step}; the same command goes on", err=True)
    return click.exceptions.Exit(os.EX_TEMPFAIL if sigterm.noted() else 130)
