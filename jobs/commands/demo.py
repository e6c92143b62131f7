"""`gends-build demo`: a small dataset from photographs that ship with gends."""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path

import click

from gends.jobs.building.drive import ClusterOptions
from gends.jobs.building.progress import Progress
from gends.jobs.commands.run import build, conclude
from gends.jobs.options.paths import new_or_old_folder
from gends.models.bundled_photos import PHOTOS
from gends.pipeline.keeping.dataset import open_dataset
from gends.pipeline.keeping.verify import verify
from gends.pipeline.reading.reader import read_manifest
from gends.pipeline.reading.sheet import contact_sheet
from gends.pipeline.storage.opening import open_store


@click.command(epilog="\b\nExample:\n  gends-build demo --out demo/")
@click.option(
    "--out",
    metavar="ROOT",
    default="demo",
    show_default=True,
    type=click.Path(path_type=Path),
    callback=new_or_old_folder,
    help="Folder of the dataset.",
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(min=1),
    help="Engines that work side by side. [default: one per GPU, or per CPU]",
)
def command(out: Path, workers: int | None) -> None:
    """Degrade ten bundled photographs with the bundled model; check and draw the result."""
    with resources.as_file(PHOTOS) as photos:
        settings = {"clean": str(photos), "shard_size": 30, "unit_images": 1}
        cluster = ClusterOptions(workers=workers)
        tally = build(None, settings, str(out), cluster=cluster, progress=Progress())
    conclude(str(out), tally, as_json=False)
    problems = [p for _, found in verify(open_dataset(out), deep=True) for p in found]
    click.echo(f"verified: {len(problems) or 'no'} problems")
    sheet = out / "sheet.png"
    with open_store(out).publish(sheet.name) as file:
        contact_sheet(out).save(file, "PNG")
    pairs = read_manifest(out, columns=["key"]).num_rows
    click.echo(f"{pairs} pairs in {out}; contact sheet: {sheet.absolute()}")
    sys.exit(1 if problems else 0)
