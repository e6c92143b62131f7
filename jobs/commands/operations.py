"""`gends-build operations`: what degrades by formula, and what may be set of it."""

from __future__ import annotations

import difflib
import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from gends.jobs.console.streams import print_result
from gends.jobs.options.described import describe, numbers, range_text
from gends.models.parametric.catalog import OPERATIONS
from gends.models.parametric.operation import STAGES, Operation

STAGE_WORDS = {
    "scene": "between the things and the lens",
    "lens": "at and in the lens",
    "sensor": "what the sensor makes of the light",
    "coding": "what becomes of the file",
}


@click.command(
    epilog="""\b
    Examples:
      gends-build operations                 all of them, in the order of light's way
      gends-build operations haze            everything about one, with a step to copy
      gends-build operations haze --json     the same for programs
    """
)
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def command(name: str | None, as_json: bool) -> None:
    """List the operations: degradations by formula, each a step that a configuration can name.

    With NAME, print everything about one: its parameters, and how to ask for it.

    \b
    How severe an operation is can be said in four ways:
      level     1 to 10, mild to severe; mean severity rises in even steps
      mu        the mean of |degraded - clean| wanted, in [0, 1]; the strength is solved for
      strength  0 to 1, 0 leaves the picture as it is
      a scale   the operation's own quantity, where it has one, as the quality of JPEG
    Parameters that are not given are drawn.
    """
    print_result()
    if name is None:
        described = {"operations": [describe(operation) for operation in OPERATIONS.values()]}
        click.echo(json.dumps(described)) if as_json else _print_all(described["operations"])
        return
    one = describe(_operation(name))
    click.echo(json.dumps(one)) if as_json else _print_one(one)


def _operation(name: str) -> Operation:
    if name in OPERATIONS:
        return OPERATIONS[name]
    spelled = name.lower().replace("-", "_")
    near = difflib.get_close_matches(spelled, OPERATIONS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(OPERATIONS)}"
    raise click.UsageError(f"no operation {name!r}; {hint}")


def _print_all(described: list[dict[str, Any]]) -> None:
    console = _console()
    for stage in STAGES:
        found = [one for one in described if one["stage"] == stage]
        if not found:
            continue
        console.print(f"{stage}: {STAGE_WORDS[stage]}")
        table = Table("  operation", "mu", "scale", "what it does", box=None, padding=(0, 2, 0, 0))
        for column in table.columns[:-1]:
            column.no_wrap = True
        for one in found:
            scale = one["scale"]["name"] if one["scale"] else ""
            table.add_row("  " + one["name"], _span(one["levels"]), scale, _told(one))
        console.print(table)
        console.print()
    console.print(
        "mu: mean of |degraded - clean| at level 1 and at level 10; scale: what may be set instead "
        "of a level; depth: it asks how far things are; mask: it can say where it is."
    )
    console.print("gends-build operations NAME says everything about one.")


def _told(one: dict[str, Any]) -> str:
    marks = {"depth": one["needs_depth"], "mask": one["gives_mask"]}
    words = ", ".join(word for word, has in marks.items() if has)
    return f"{one['summary']} [{words}]" if words else str(one["summary"])


def _span(levels: list[dict[str, float]] | None) -> str:
    return f"{levels[0]['mu']:.3f}-{levels[-1]['mu']:.3f}" if levels else "not measured"


def _print_one(one: dict[str, Any]) -> None:
    console = _console()
    console.print(f"{one['name']}: {one['summary']}")
    facts = {
        "stage": f"{one['stage']}, {STAGE_WORDS[one['stage']]}",
        "source": one["source"],
        "version": one["version"],
        "in masks": f"{one['label']}"
        + ("; can say where it is" if one["gives_mask"] else "; covers the whole picture"),
        "depth": "asks how far things are" if one["needs_depth"] else "not needed",
    }
    if one["scale"]:
        facts["scale"] = f"{one['scale']['name']}, {one['scale']['meaning']}, " + range_text(
            one["scale"]
        )
    grid = Table.grid(padding=(0, 2))
    for word, value in facts.items():
        grid.add_row(f"  {word}", str(value))
    console.print(grid)
    _print_parameters(console, one["parameters"])
    _print_levels(console, one)
    console.print("\nA step of a configuration:")
    console.print(one["example"], soft_wrap=True)


def _print_parameters(console: Console, parameters: dict[str, Any]) -> None:
    if not parameters:
        console.print("\nNo parameters but how strong it is.")
        return
    console.print("\nParameters, drawn unless given:")
    table = Table("  name", "range", "meaning", box=None)
    table.columns[0].no_wrap = True
    for name, parameter in parameters.items():
        table.add_row(f"  {name}", range_text(parameter), parameter["meaning"])
    console.print(table)


def _print_levels(console: Console, one: dict[str, Any]) -> None:
    levels = one["levels"]
    if levels is None:
        console.print(f"\nIts levels are not measured: {one['levels_missing']}")
        return
    console.print("\nLevels, and the mean severity of each on photographs:")
    scale = one["scale"]
    table = Table(
        "  level", "strength", *([scale["name"]] if scale else []), "mu", "sigma", box=None
    )
    for column in table.columns:
        column.justify = "right"
    for level in levels:
        told = [numbers(level["value"])] if scale else []
        severity = [f"{level[key]:.3f}" for key in ("mu", "sigma")]
        table.add_row(str(level["level"]), numbers(level["strength"]), *told, *severity)
    console.print(table)


def _console() -> Console:
    return Console(highlight=False, emoji=False, markup=False)
