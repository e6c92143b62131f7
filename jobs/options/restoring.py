"""Flags of the commands that run a restorer."""

from __future__ import annotations

import click

from gends.jobs.options.flags import Command, with_flags

FLAGS = [
    click.option(
        "--tile",
        metavar="N",
        default=512,
        show_default=True,
        type=click.IntRange(min=8),
        help="Side in pixels of the tiles that larger pictures are cut into.",
    ),
    click.option(
        "--overlap",
        metavar="N",
        default=64,
        show_default=True,
        type=click.IntRange(min=0),
        help="Pixels that tiles share and that are blended; at most half a tile.",
    ),
    click.option(
        "--device",
        help="cpu, cuda or cuda:1, as torch names it. [default: cuda where there is one]",
    ),
    click.option(
        "--bf16/--fp32", default=None, help="Compute in bfloat16. [default: on a GPU only]"
    ),
    click.option(
        "--threads", metavar="N", type=click.IntRange(min=1), help="CPU threads. [default: all]"
    ),
]


def restorer_options(command: Command) -> Command:
    """Add --tile, --overlap, --device, --bf16 and --threads."""
    return with_flags(FLAGS)(command)
