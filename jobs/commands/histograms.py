"""`gends-build histograms`: fit, import and look at severity profiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from gends.histograms.bins import MU_BINS, SIGMA_BINS, Bins
from gends.histograms.fit import Row, check_weights, fit
from gends.histograms.gendeg_json import read_published
from gends.histograms.pairs import Skip, dataset_names, iterate_pairs
from gends.histograms.plot import plot
from gends.histograms.profile import Profile, load_profile
from gends.jobs.console.streams import print_result
from gends.jobs.options.flags import Command, with_flags
from gends.jobs.options.paths import json_file
from gends.pipeline.format.identity import IDENTITY_NAME
from gends.pipeline.reading.reader import read_manifest, readable_shards
from gends.pipeline.storage.opening import open_store


def name_and_weight(text: str) -> tuple[str, float]:
    """Parse `NAME=WEIGHT`."""
    name, _, weight = text.rpartition("=")
    try:
        return name, float(weight)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not NAME=WEIGHT, as in RESIDE=0.5") from None


weight_option = click.option(
    "--weight",
    "weights",
    multiple=True,
    metavar="NAME=WEIGHT",
    type=name_and_weight,
    help="How often a dataset is drawn, relative to 1; may be repeated.",
)


def bins_options(name: str, bins: Bins) -> Callable[[Command], Command]:
    """Add --NAME-bins and --NAME-range, whose defaults are `bins`."""

    return with_flags(
        [
            click.option(
                f"--{name}-bins",
                type=click.IntRange(min=1),
                metavar="N",
                default=bins.count,
                show_default=True,
                help=f"Bins of {name}.",
            ),
            click.option(
                f"--{name}-range",
                type=(float, float),
                metavar="LOW HIGH",
                default=(bins.low, bins.high),
                show_default=True,
                help=f"Where the bins of {name} begin and end; what lies above counts in the last.",
            ),
        ]
    )


Output = click.Path(dir_okay=False, path_type=Path)
Folder = click.Path(exists=True, file_okay=False, path_type=Path)


class LeftOut:
    """Names what cannot be measured, and counts it."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.count = 0

    def __call__(self, error: ValueError) -> None:
        """Name one."""
        self.count += 1
        click.echo(f"left out: {error}", err=True)


@click.group()
def command() -> None:
    """Severity profiles: how severe the degradations of real datasets are.

    Severity is mu and sigma: mean and spread of |degraded - clean|, 0 to 1. A build draws both for
    every pair from a profile, which `run --profile` names.
    """


@command.command(
    "fit",
    short_help="Fit a profile to pairs.",
    epilog="\b\nExample:\n  gends-build histograms fit pairs/ --out profile.json",
)
@click.argument("pairs", type=Folder)
@click.option("--out", required=True, type=Output, callback=json_file, help="Profile to write.")
@click.option(
    "--degradation",
    metavar="NAME",
    help="The degradation, when PAIRS itself holds gt/ and lq/.",
)
@click.option(
    "--dataset", metavar="NAME", help="The dataset's name, when PAIRS itself holds gt/ and lq/."
)
@click.option(
    "--resize/--as-stored",
    default=True,
    help="Measure at 256x256 as the publication does. [default: resize]",
)
@bins_options("mu", MU_BINS)
@bins_options("sigma", SIGMA_BINS)
@weight_option
def fit_command(
    pairs: Path,
    out: Path,
    weights: tuple[tuple[str, float], ...],
    mu_bins: int,
    mu_range: tuple[float, float],
    sigma_bins: int,
    sigma_range: tuple[float, float],
    **reading: Any,
) -> None:
    """Fit a profile to PAIRS: folders DEGRADATION/DATASET/{gt,lq}, or a dataset of gends.

    Pairs in folders are measured; those that cannot be are named and left out. The manifests of a
    dataset of gends already hold mu and sigma.
    """
    if not (pairs / IDENTITY_NAME).exists():  # measuring takes hours
        check_weights(dict(weights), dataset_names(pairs, reading["dataset"]))
    left_out = LeftOut()
    profile = fit(
        _counted(_rows(pairs, left_out, **reading)),
        weights=dict(weights),
        mu_bins=Bins(mu_bins, *mu_range),
        sigma_bins=Bins(sigma_bins, *sigma_range),
        source=f"fitted to {pairs.name}",
    )
    _save(profile, out)
    if left_out.count:
        click.echo(f"left out: {left_out.count} pairs or datasets, named above", err=True)


@command.command(
    "import",
    short_help="Import the JSON files that GenDeg publishes.",
    epilog="\b\nExample:\n  gends-build histograms import GenDeg/histograms/ --out profile.json",
)
@click.argument("directory", type=Folder)
@click.option("--out", required=True, type=Output, callback=json_file, help="Profile to write.")
@weight_option
def import_command(directory: Path, out: Path, weights: tuple[tuple[str, float], ...]) -> None:
    """Import histograms in the JSON layout that GenDeg publishes: a folder per degradation."""
    _save(read_published(directory, dict(weights)), out)


@command.command(
    "select",
    short_help="Keep some datasets of a profile.",
    epilog="\b\nExample:\n  gends-build histograms select reference "
    "--dataset RESIDE --dataset rain/RainDS --out narrow.json",
)
@click.argument("profile", default="reference")
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    required=True,
    metavar="[DEGRADATION/]NAME",
    help="Dataset to keep; may be repeated.",
)
@click.option("--out", required=True, type=Output, callback=json_file, help="Profile to write.")
def select_command(profile: str, datasets: tuple[str, ...], out: Path) -> None:
    """Keep some datasets of a PROFILE (a file, or 'reference', the one that ships)."""
    _save(load_profile(profile).only(datasets), out)


@command.command(
    "show",
    short_help="Print and draw a profile.",
    epilog="\b\nExample:\n  gends-build histograms show reference --plots plots/",
)
@click.argument("profile", default="reference")
@click.option(
    "--plots",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to draw into, as PNG: sigma against mu, and mu of every dataset.",
)
def show_command(profile: str, plots: Path | None) -> None:
    """Print a PROFILE (a file, or 'reference', the one that ships) and optionally draw it."""
    print_result()
    opened = load_profile(profile)
    _print(opened)
    if plots is not None:
        for path in plot(opened, plots):
            click.echo(path)


def _rows(
    pairs: Path, skip: Skip, degradation: str | None, dataset: str | None, resize: bool
) -> Iterator[Row]:
    if not (pairs / IDENTITY_NAME).exists():
        return iterate_pairs(pairs, degradation, dataset, 256 if resize else None, skip)
    given = {"--degradation": degradation, "--dataset": dataset, "--as-stored": not resize}
    if names := [name for name, value in given.items() if value]:
        raise click.UsageError(
            f"{pairs} is a dataset of gends, whose manifests say what was painted and measured: "
            f"leave out {', '.join(names)}"
        )
    return _manifest_rows(pairs)


def _manifest_rows(root: Path) -> Iterator[Row]:
    for shard in readable_shards(open_store(root)):
        columns = ["degradation", "severity_dataset", "source_dataset", "mu", "sigma"]
        for row in read_manifest(root, columns=columns, shards=[shard]).to_pylist():
            dataset = row["severity_dataset"] or row["source_dataset"]
            yield row["degradation"], dataset, row["mu"], row["sigma"]


def _counted(rows: Iterator[Row]) -> Iterator[Row]:
    for count, row in enumerate(rows, start=1):
        if count % 1000 == 0:
            click.echo(f"{count} pairs measured", err=True)
        yield row


def _save(profile: Profile, out: Path) -> None:
    profile.save(out)
    _print(profile)
    click.echo(f"{out}: digest {profile.digest}")


def _print(profile: Profile) -> None:
    columns = ("degradation", "dataset", "pairs", "share", "mu p5", "p50", "p95")
    table = Table(*columns, box=None, pad_edge=False)
    for row in profile.summary():
        values = (row.mu_p5, row.mu_p50, row.mu_p95)
        table.add_row(
            row.degradation,
            row.dataset,
            f"{row.pairs:.0f}",
            f"{row.share:.3f}",
            *(f"{value:.3f}" for value in values),
        )
    Console(emoji=False).print(table)
