"""`gends-build evaluate`: how well a restorer does on datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gends.jobs.console.alive import alive
from gends.jobs.console.streams import print_result
from gends.jobs.options import listed
from gends.jobs.options.config import flag, split_of
from gends.jobs.options.paths import new_or_old_folder
from gends.jobs.options.restoring import restorer_options
from gends.models.metrics.default import DEFAULT
from gends.pipeline.evaluation.groups import SEVERITIES


@click.command(
    epilog="\b\nExample:\n  gends-build evaluate runs/nafnet/result --data heldout/ --data ood/ "
    "\\\n    --train-data pairs/ --out evaluation/"
)
@click.argument(
    "judged",
    metavar="MODEL|FOLDER",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option(
    "--data",
    metavar="ROOT",
    multiple=True,
    required=True,
    help="Dataset to evaluate on; may be repeated, each gets its own tables.",
)
@click.option(
    "--train-data",
    metavar="ROOT",
    multiple=True,
    help="Dataset that MODEL was trained on, beside those that its own record names. Photographs "
    "that are in both are refused. May be repeated.",
)
@click.option(
    "--split",
    metavar="NAME",
    callback=split_of,
    help="Only pairs whose photograph is of this split. [default: all]",
)
@click.option(
    "--train-split",
    metavar="NAME",
    callback=split_of,
    help="Training on --train-data used only this split. [default: all]",
)
@click.option(
    "--degradations",
    default="",
    type=listed.degradations,
    metavar="NAME,NAME…",
    help="Only these. [default: all]",
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    help="Pairs per dataset and degradation, evenly spaced. [default: all]",
)
@click.option(
    "--out",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    callback=lambda ctx, parameter, out: out and new_or_old_folder(ctx, parameter, out),
    help="Where tables, plots and the results of every pair go. [default: print only]",
)
@click.option("--overwrite", is_flag=True, help="Write over an evaluation that is there.")
@click.option(
    "--metrics",
    metavar="NAME,NAME…",
    default=",".join(DEFAULT),
    type=listed.names,
    show_default=True,
    help="Metrics to compute: these, or any that pyiqa has for single pictures.",
)
@click.option(
    "--lpips-weights",
    metavar="FILE",
    envvar="GENDS_LPIPS_WEIGHTS",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="AlexNet's convolutions as safetensors, where torchvision's hub is out of reach; "
    "also by GENDS_LPIPS_WEIGHTS.",
)
@click.option(
    "--severities",
    "edges",
    metavar="X,X…",
    default=",".join(f"{edge:g}" for edge in SEVERITIES),
    show_default=True,
    type=listed.floats,
    help="Edges of the bins of measured mu.",
)
@flag(
    "--resamples",
    "How often to resample for the 95 % confidence intervals (bootstrap).",
    default=2000,
    type=click.IntRange(min=100),
)
@flag("--seed", "Seed of the resampling.", default=0, type=click.IntRange(min=0))
@restorer_options
def command(degradations: tuple[str, ...], **flags: Any) -> None:
    """Evaluate a restorer on datasets, beside their degraded pictures as they are.

    MODEL is a folder that `train restorer` wrote. FOLDER holds restored pictures instead, as
    FOLDER/KEY.png, or FOLDER/DATASET/KEY.png, as there must be for several datasets.

    Metrics that cannot be computed here are named, with the reason; nothing stands in for them. All
    files are written at the end: an evaluation that was stopped starts again.
    """
    if flags["out"] is None:
        print_result()
    if flags["train_split"] is not None and not flags["train_data"]:
        raise click.UsageError("--train-split is of --train-data, and none is given")
    with alive("loading torch"):
        from gends.jobs.evaluation.evaluate import evaluate  # noqa: PLC0415
        from gends.jobs.evaluation.settings import Settings  # noqa: PLC0415

    click.echo(evaluate(Settings(degradations=degradations or None, **flags)), nl=False)
