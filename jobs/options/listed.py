"""Values of flags that stand with commas between them: types of click's options."""

from __future__ import annotations

import math

import click


def names(text: str) -> tuple[str, ...]:
    """Parse `a,b,c`; nothing between two commas is no name."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def degradations(text: str) -> tuple[str, ...]:
    """Parse `rain,snow`: labels of pairs, of which the dataset knows which there are."""
    return names(text)


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
