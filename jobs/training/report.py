"""What a training tells people: lines of progress, TensorBoard, and where it was stopped."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import click

from gends.jobs.cluster import sigterm
from gends.jobs.console.duration import duration
from gends.models.training.progress import Progress


def reporter(tensorboard: Path | None) -> Callable[[Progress], None]:
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

    def report(progress: Progress) -> None:
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


def _print(progress: Progress) -> None:
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
