"""`gends-build train`: restorers and the parts of a GenDeg model, on datasets that `run` made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from gends.jobs.commands.train_restorer import restorer
from gends.jobs.console.alive import alive
from gends.jobs.options.config import NumberRange, flag
from gends.jobs.options.flags import Command, with_flags
from gends.jobs.options.paths import new_or_old_folder

DEVICE_HELP = "cpu, cuda or cuda:1, as torch names it. [default: cuda where there is one]"
CROP_STEP = 8
"""Pixels to a cell of the latents."""
SIZES = ("mini", "width32", "published")
"""Of structure correction modules."""
Folder = click.Path(exists=True, file_okay=False, path_type=Path)


def whole_cells(ctx: click.Context, parameter: click.Parameter, crop: int) -> int:
    """Check --crop before anything is loaded."""
    if crop % CROP_STEP:
        raise click.BadParameter(f"{crop} is no multiple of {CROP_STEP}")
    return crop


def training_options(
    *, steps: int, batch_size: int, crop: int, rate: float
) -> Callable[[Command], Command]:
    """The flags that all trainings share, with the defaults of one of them."""
    positive = click.IntRange(min=1)
    folder = click.Path(file_okay=False, path_type=Path)

    flags = [
        click.option(
            "--run",
            "run_folder",
            required=True,
            type=folder,
            callback=new_or_old_folder,
            help="Folder of checkpoints, samples and the result; an existing run goes on.",
        ),
        flag("--steps", "Optimizer steps.", default=steps, type=positive),
        flag("--batch-size", "Crops per step.", default=batch_size, type=positive),
        flag(
            "--crop",
            f"Side of the crops in pixels, a multiple of {CROP_STEP}.",
            default=crop,
            type=positive,
            callback=whole_cells,
        ),
        flag("--rate", "Learning rate.", default=rate, type=NumberRange(0, 1, min_open=True)),
        flag(
            "--seed",
            "Every random choice follows from it.",
            default=0,
            type=click.IntRange(min=0),
        ),
        flag("--bf16/--fp32", "Compute in bfloat16.", default=True),
        flag("--device", DEVICE_HELP),
        flag("--threads", "CPU threads. [default: all]", type=positive),
        flag("--checkpoint-every", "Steps between checkpoints.", default=500, type=positive),
        flag(
            "--sample-every",
            "Steps between sample grids; 0: none.",
            default=500,
            type=click.IntRange(min=0),
        ),
        flag(
            "--ema",
            "Decay of the averaged weights.",
            default=0.999,
            type=NumberRange(0, 1, max_open=True),
        ),
        flag("--tensorboard", "Also write RUN/tensorboard; needs gends[train].", is_flag=True),
    ]

    return with_flags(flags)


@click.group()
def command() -> None:
    """Train a restorer, or a GenDeg model, from datasets of pairs.

    \b
    The parts of a GenDeg model, in this order:
      gends-build run --engine parametric --fit random --replicas 32 --clean photos/ --out pairs/
      gends-build train autoencoder pairs/ --run runs/autoencoder
      gends-build train generator pairs/ --autoencoder runs/autoencoder/result --run runs/generator
      gends-build train scm pairs/ --model runs/generator/result --run runs/scm
      gends-build train calibration pairs/ --model runs/scm/result --out models/mine
      gends-build run --model models/mine --clean photos/ --out dataset/

    Every training resumes from its newest checkpoint when the same command is given again;
    calibration, which has none, starts again.
    """


command.add_command(restorer)


@command.command(
    epilog="\b\nExample:\n  gends-build train autoencoder pairs/ --run runs/autoencoder"
)
@click.argument("data", type=Folder)
@click.option(
    "--model", type=Folder, help="Autoencoder to go on from; its latents stay as they are."
)
@training_options(steps=12000, batch_size=8, crop=128, rate=6e-4)
def autoencoder(data: Path, model: Path | None, **flags: Any) -> None:
    """Train gendeg-mini's autoencoder on all images of DATA, clean and degraded."""
    with alive("loading torch"):
        from gends.jobs.training.autoencoder import train_autoencoder  # noqa: PLC0415

    click.echo(train_autoencoder(data, model=model, **flags))


@command.command(
    epilog="\b\nExample:\n  gends-build train generator pairs/ "
    "--autoencoder runs/autoencoder/result --run runs/generator"
)
@click.argument("data", type=Folder)
@click.option(
    "--autoencoder",
    type=Folder,
    help="Trained autoencoder, to begin a new model of gendeg-mini's size.",
)
@click.option("--model", type=Folder, help="Model to go on from, in place of --autoencoder.")
@click.option(
    "--latents",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where DATA's latents are kept [default: RUN/latents].",
)
@training_options(steps=20000, batch_size=64, crop=128, rate=4e-4)
def generator(
    data: Path, autoencoder: Path | None, model: Path | None, latents: Path | None, **flags: Any
) -> None:
    """Train the diffusion model on DATA's latents."""
    with alive("loading torch"):
        from gends.jobs.training.generator import train_generator  # noqa: PLC0415

    if (autoencoder is None) == (model is None):
        raise click.UsageError("give either --autoencoder, to begin, or --model, to go on")
    click.echo(
        train_generator(data, autoencoder=autoencoder, model=model, latents=latents, **flags)
    )


@command.command(
    epilog="\b\nExample:\n  gends-build train scm pairs/ "
    "--model runs/generator/result --run runs/scm"
)
@click.argument("data", type=Folder)
@click.option("--model", required=True, type=Folder, help="Model whose generator is trained.")
@click.option(
    "--preset",
    type=click.Choice(SIZES),
    help="Begin a new module of this size. "
    "[default: go on with the model's own; mini where it has none]",
)
@training_options(steps=3000, batch_size=8, crop=128, rate=1e-3)
def scm(data: Path, model: Path, preset: str | None, **flags: Any) -> None:
    """Train the structure correction module on what the generator of --model makes of DATA."""
    with alive("loading torch"):
        from gends.jobs.training.scm import train_correction  # noqa: PLC0415

    click.echo(train_correction(data, model=model, preset=preset, **flags))


@command.command(
    epilog="\b\nExample:\n  gends-build train calibration pairs/ "
    "--model runs/scm/result --out models/mine"
)
@click.argument("data", type=Folder)
@click.option("--model", required=True, type=Folder, help="Trained model.")
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    callback=new_or_old_folder,
    help="Folder of the calibrated model.",
)
@flag("--samples", "Pairs per degradation.", default=96, type=click.IntRange(min=8))
@flag("--seed", "Which pairs, and their noise.", default=0, type=click.IntRange(min=0))
@click.option(
    "--profile",
    metavar="NAME|FILE",
    default="reference",
    show_default=True,
    help="Severities to calibrate for: those that builds will ask for.",
)
@click.option("--half/--full", default=True, show_default=True, help="Store weights in 16 bits.")
@click.option("--device", help=DEVICE_HELP)
def calibration(data: Path, model: Path, out: Path, **flags: Any) -> None:
    """Measure which mu the model gives for which it is asked for, and store that with it."""
    with alive("loading torch"):
        from gends.jobs.training.calibration import train_calibration  # noqa: PLC0415

    train_calibration(data, model=model, out=out, **flags)
    click.echo(out)
