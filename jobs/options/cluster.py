"""Where a build runs, as options of the commands that build."""

from __future__ import annotations

import functools
from dataclasses import fields
from typing import Any, cast

import click

from gends.jobs.building.drive import ClusterOptions
from gends.jobs.options.config import NumberRange
from gends.jobs.options.flags import Command, with_flags

DEFAULTS = ClusterOptions()


def cluster_options(command: Command) -> Command:
    """Add the flags of `ClusterOptions`; the command gets them as `cluster`."""

    @functools.wraps(command)  # with the options that stand below this one
    def wrapped(**flags: Any) -> Any:
        chosen = {field.name: flags.pop(field.name) for field in fields(ClusterOptions)}
        return command(cluster=ClusterOptions(**chosen), **flags)

    return cast(Command, with_flags(_FLAGS)(wrapped))


_FLAGS = [
    click.option(
        "--workers",
        metavar="N",
        type=click.IntRange(min=1),
        help="Engines that work side by side. [default: one per GPU, or per --threads CPUs]",
    ),
    click.option(
        "--address",
        metavar="HOST:PORT",
        help="Ray cluster to join, or auto for the one of this machine. "
        "[default: a Ray of its own]",
    ),
    click.option(
        "--unit-timeout",
        metavar="SECONDS",
        type=NumberRange(min=1),
        default=DEFAULTS.unit_timeout,
        show_default=True,
        help="Time after which work on one unit (--unit-images photographs) counts as hanging: it "
        "is ended, and the unit is tried again.",
    ),
    click.option(
        "--grace",
        metavar="SECONDS",
        type=NumberRange(min=0),
        default=DEFAULTS.grace,
        show_default=True,
        help="How long work that has begun may go on after SIGTERM.",
    ),
    click.option(
        "--store-timeout",
        metavar="SECONDS",
        type=NumberRange(min=0),
        default=DEFAULTS.store_timeout,
        show_default=True,
        help="How long to ask a bucket again that does not answer, before the build stops.",
    ),
    click.option(
        "--fail-missing",
        is_flag=True,
        help="Make failed rows of photographs whose whole folder is gone or empty, too; without "
        "this the build stops, as their disk may only not be mounted.",
    ),
    click.option(
        "--mixed-processors",
        is_flag=True,
        help="Go on where processors differ among the machines, or from those that the dataset was "
        "begun with; pairs then differ in last bits.",
    ),
]
