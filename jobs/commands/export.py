"""`gends-build export`: pairs in the layouts of programs that cannot stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gends.jobs.console.count import Count
from gends.jobs.options.listed import degradations, names
from gends.jobs.options.paths import check_folder_name, check_json_name, new_place
from gends.pipeline.export.formats import WITH_MEMBERS, WRITERS, Exported, export
from gends.pipeline.export.selection import Selection
from gends.pipeline.export.wids import write_wids
from gends.pipeline.format.damage import PairError
from gends.pipeline.reading.condition import Condition, parse_condition
from gends.pipeline.reading.reader import BESIDE

WIDS = "wids"


def conditions(
    ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> tuple[Condition, ...]:
    """Read --where before anything is opened."""
    try:
        return tuple(parse_condition(text) for text in texts)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def members(
    ctx: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[str, ...] | None:
    """Read --members: None where it is not given."""
    if text is None:
        return None
    found = () if text.strip() == "none" else names(text)
    if unknown := [name for name in found if name not in BESIDE]:
        raise click.BadParameter(f"no {', '.join(unknown)}; there are {', '.join(BESIDE)}, none")
    return tuple(found)


@click.command(
    epilog="\b\nExamples:\n"
    "  gends-build export basicsr-lmdb dataset/ lmdb/ --split train\n"
    '  gends-build export folder dataset/ strong/ --degradation rain,snow --where "mu>=0.1"\n'
    "  gends-build export wids dataset/ dataset/wids.json"
)
@click.argument("format_name", metavar="FORMAT", type=click.Choice([*WRITERS, WIDS]))
@click.argument("root")
@click.argument("out", callback=new_place)
@click.option(
    "--degradation",
    "degradations",
    default="",
    type=degradations,
    metavar="NAME,NAME…",
    help="Only these. [default: all]",
)
@click.option(
    "--split",
    "splits",
    default="",
    type=names,
    metavar="NAME,NAME…",
    help="Only these. [default: all]",
)
@click.option(
    "--where",
    multiple=True,
    metavar="CONDITION",
    callback=conditions,
    help="Only pairs whose manifest row meets it, as in mu>=0.1 or metrics.structure>0.8; "
    "give it several times for all of several.",
)
@click.option("--limit", metavar="N", type=click.IntRange(min=1), help="At most so many pairs.")
@click.option(
    "--members",
    metavar="NAME,NAME…",
    callback=members,
    help="With folder and huggingface, what to copy of what is stored beside pairs: mask, bits, "
    "ground, ground_lq, or none. [default: all that there is]",
)
@click.option(
    "--skip-damaged", is_flag=True, help="Leave damaged pairs out and count them. [default: stop]"
)
def command(
    format_name: str,
    root: str,
    out: Path,
    members: tuple[str, ...] | None,
    skip_damaged: bool,
    **choice: Any,
) -> None:
    """Copy accepted pairs of the dataset ROOT to OUT for programs that cannot stream its shards.

    \b
    FORMAT is one of
      folder        DEGRADATION/{gt,lq}/KEY.png, metadata.jsonl, meta_info.txt;
                    masks and grounds beside them, as DEGRADATION/mask/KEY.png
      basicsr-lmdb  gt.lmdb and lq.lmdb, for BasicSR, NAFNet and the like
      daclip        SPLIT/WORD/{GT,LQ}/ and daclip_SPLIT.csv, for DA-CLIP
      diffplugin    DEGRADATION.csv and the pictures, for Diff-Plugin
      huggingface   Parquet with pictures inside, for datasets.load_dataset(OUT)
      wids          a JSON file OUT that indexes the shards; copies nothing

    Pictures are copied byte by byte and compared with their checksums. OUT appears when all is in
    it; an export that was stopped starts again, and one that is there already does nothing.
    """
    selection = Selection(**choice)
    if format_name == WIDS:
        if selection != Selection() or skip_damaged or members is not None:
            raise click.UsageError("wids indexes whole shards: it takes no options")
        check_json_name(out)
        say_done(out, write_wids(root, out))
        return
    if members and format_name not in WITH_MEMBERS:
        raise click.UsageError(f"--members goes with {' and '.join(WITH_MEMBERS)}")
    check_folder_name(out)
    skip = say_skipped if skip_damaged else None
    with Count("pairs") as count:
        done = export(
            format_name,
            root,
            out,
            selection=selection,
            members=members,
            skip=skip,
            report=count.reach,
        )
    say_done(out, done)


def say_skipped(error: PairError) -> None:
    """Name a damaged pair that is left out."""
    click.echo(f"left out: {error}", err=True)


def say_done(out: Path, done: Exported) -> None:
    """Sum up."""
    damaged = f", {done.num_damaged} damaged left out" if done.num_damaged else ""
    there = "" if done.fresh else " (was there already)"
    click.echo(f"{out}: {done.num_pairs} pairs{damaged}{there}")
    for note in done.notes:
        click.echo(f"  {note}")
