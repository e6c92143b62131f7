"""`gends-build train restorer`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gends.jobs.console.alive import alive
from gends.jobs.options.config import NumberRange, flag, split_of
from gends.jobs.options.flags import with_flags
from gends.jobs.options.listed import floats
from gends.jobs.options.paths import new_or_old_folder
from gends.models.restorers.hyperparameters import HYPERPARAMETERS

ARCHITECTURES = tuple(dict.fromkeys(arch for arch, _ in HYPERPARAMETERS))
POSITIVE = click.IntRange(min=1)


def mix_of(ctx: click.Context, parameter: click.Parameter, text: str | None) -> Any:
    """`gends`, or one weight for each root."""
    if text is None or text == "gends":
        return text
    try:
        weights = floats(text)
    except click.BadParameter:
        weights = ()
    if not weights or min(weights) < 0 or sum(weights) <= 0:
        raise click.BadParameter(f"{text!r} is neither gends nor weights, as in 3,1")
    return weights


_FLAGS = [
    flag("--arch", "The restorer.", required=True, type=click.Choice(ARCHITECTURES)),
    flag(
        "--preset",
        "Its size: nafnet has w32, w64, w32-gopro, w64-gopro; promptir published; swin base; and "
        "each has tiny.",
        required=True,
        metavar="NAME",
    ),
    flag("--pretrained", "Start from ImageNet weights in the encoder (swin).", is_flag=True),
    flag(
        "--model",
        "Start from these weights: the folder of a trained restorer, or a checkpoint of "
        "its authors (.pth, .ckpt or .safetensors; nafnet, promptir).",
        metavar="PATH",
        type=click.Path(exists=True, path_type=Path),
    ),
    flag(
        "--data",
        "Dataset to train on, a folder or a bucket; may be given again.",
        multiple=True,
        metavar="ROOT",
    ),
    flag(
        "--original",
        "As --data, for original pairs beside generated ones; see --mix gends.",
        multiple=True,
        metavar="ROOT",
    ),
    flag(
        "--mix",
        "gends: all degradations equally often, and original pairs as often as generated ones. Or "
        "a weight for each root, those of --data first. [default: all pairs equally often]",
        metavar="gends|W,W…",
        callback=mix_of,
    ),
    flag("--epoch-pairs", "Pairs per epoch of a --mix. [default: all]", type=POSITIVE),
    flag(
        "--split",
        "Train on pairs of this split; all: on every pair.",
        default="train",
        metavar="NAME",
        callback=split_of,
    ),
    flag(
        "--degradation",
        "Train on pairs of this label; may be given again. [default: all]",
        multiple=True,
        metavar="NAME",
    ),
    flag(
        "--validation",
        "Dataset to validate on, of other photographs; may be given again. "
        "[default: the roots trained on, if --validation-split is given]",
        multiple=True,
        metavar="ROOT",
    ),
    flag(
        "--validation-split",
        "Validate on pairs of this split. [default: all of --validation]",
        metavar="NAME",
    ),
    flag("--validation-pairs", "Pairs to validate on at most.", default=120, type=POSITIVE),
    click.option(
        "--run",
        "run_folder",
        required=True,
        type=click.Path(file_okay=False, path_type=Path),
        callback=new_or_old_folder,
        help="Folder of checkpoints, samples and the result; an existing run goes on.",
    ),
    flag("--steps", "Optimizer steps. [default: as published]", type=POSITIVE),
    flag("--batch-size", "Crops per step over all workers. [default: as published]", type=POSITIVE),
    flag("--crop", "Side of the crops in pixels. [default: as published]", type=POSITIVE),
    flag(
        "--rate",
        "Learning rate. [default: as published]",
        type=NumberRange(0, 1, min_open=True),
    ),
    flag(
        "--ema",
        "Decay of the averaged weights, which are the result; 0: none. [default: as published]",
        type=NumberRange(0, 1, max_open=True),
    ),
    flag(
        "--seed",
        "Every random choice follows from it.",
        default=0,
        type=click.IntRange(min=0),
    ),
    flag("--bf16/--fp32", "Compute in bfloat16; fp32 is as published.", default=False),
    flag(
        "--device",
        "Where it is trained. [default: cuda where there is one]",
        type=click.Choice(["cpu", "cuda"]),
    ),
    flag(
        "--workers",
        "Processes that train together, a GPU each on cuda; the batch is divided among them. "
        "[default: one per GPU, else 1]",
        metavar="N",
        type=POSITIVE,
    ),
    flag("--threads", "CPU threads of each worker. [default: all, divided]", type=POSITIVE),
    flag(
        "--loader-workers",
        "Processes of each worker that read and decode.",
        default=2,
        type=click.IntRange(min=0),
    ),
    flag(
        "--address",
        "Ray cluster to join, or auto for the one of this machine. [default: a Ray of its own]",
        metavar="HOST:PORT",
    ),
    flag("--report-every", "Steps between lines of progress.", default=50, type=POSITIVE),
    flag("--checkpoint-every", "Steps between checkpoints.", default=500, type=POSITIVE),
    flag(
        "--sample-every",
        "Steps between sample grids; 0: none.",
        default=500,
        type=click.IntRange(min=0),
    ),
    flag("--validate-every", "Steps between validations.", default=1000, type=POSITIVE),
    flag("--log-keys", "Write the keys of every step's pairs to RUN/keys/.", is_flag=True),
    flag("--tensorboard", "Also write RUN/tensorboard; needs gends[train].", is_flag=True),
]


@click.command(
    epilog="\b\nExample:\n  gends-build train restorer --arch nafnet --preset w32 --data dataset/ "
    "--validation-split test --run runs/nafnet"
)
@with_flags(_FLAGS)
def restorer(**flags: Any) -> None:
    """Train a restorer on datasets of pairs. The same command resumes a run that was stopped.

    Loss, optimizer and schedule are as published for each restorer. The photographs of --validation
    must not be among those trained on. A run may resume with another number of workers: every pair
    of an epoch is still seen once.
    """
    with alive("loading torch and Ray"):
        from gends.jobs.options.restorer import place_of, settings_of  # noqa: PLC0415
        from gends.jobs.training.restorer.train import train_restorer  # noqa: PLC0415

    settings, tensorboard = settings_of(flags), flags["tensorboard"]
    click.echo(train_restorer(settings, place_of(flags), tensorboard=tensorboard))
