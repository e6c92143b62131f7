"""Values of flags that stand with commas between them: types of click's options."""

from __future__ import annotations

import math

import click

from gends.pipeline.planning.config import check_degradation


def names(text: str) -> tuple[str, ...]:
    """Parse `a,b,c`; nothing between two commas is no name."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def degradations(text: str) -> tuple[str, ...]:
    """Parse `rain,snow`.

    Raises:
        click.BadParameter: a name that is none of a degradation.
    """
    found = names(text)
    for name in found:
        try:
            check_degradation(name)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None
    return found


def floats(text: str) -> tuple[float, ...]:
    """Parse `0,0.1,1`.

    Raises:
        click.BadParameter: what is no number.
    """
    try:
        found = tuple(map(float, text.split(",")))
    except ValueError:
        found = (math.nan,)
    if not all(map(math.isfinite, found)):
        raise click.BadParameter(f"{text!r} is not numbers with commas between")
    return found
