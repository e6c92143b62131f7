"""A ground from a seed."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from gends.models.degrader import Image
from gends.models.grounds.colours import draw_colours
from gends.models.grounds.natural import draw_natural
from gends.models.grounds.regular import draw_regular
from gends.models.grounds.simple import draw_blank, draw_simple
from gends.models.grounds.stochastic import draw_stochastic
from gends.models.guillotine import guillotine

Kind = Literal["varied", "blank", "simple"]
KINDS: tuple[Kind, ...] = get_args(Kind)

CATEGORIES = (draw_regular, draw_stochastic, draw_colours, draw_natural)
"""(size, rng) to a picture whose mean is about the middle of the range."""

LEAST_SIDE = 64

GROUNDS = 0x67726F756E64
"""Keeps the random numbers of grounds apart from those of pairs."""


def draw_ground(seed: int, kind: Kind = "varied", side: int = 224) -> Image:
    """Draw a square picture that shows what a degradation does: equal arguments, equal bytes.

    After the visual grounds of Defusion (Wang et al., CVPR 2025), whose chart is not published:
    elements and their ranges are our reading.

    Args:
        seed: not negative; another one, another ground.
        kind: "varied": a regular and a stochastic texture, known colours and a piece of a
            photograph, in four rectangles; "blank": one colour; "simple": shapes upon one colour.
        side: in pixels, 64 at least.
    """
    if side < LEAST_SIDE:
        raise ValueError(f"side of a ground is {side}; it must be at least {LEAST_SIDE}")
    if kind not in KINDS:
        raise ValueError(f"kind of a ground is {kind!r}; give {', '.join(KINDS)}")
    rng = np.random.default_rng((GROUNDS, seed))
    if kind == "blank":
        return draw_blank(side, rng)
    return draw_simple(side, rng) if kind == "simple" else _varied(side, rng)


def _varied(side: int, rng: np.random.Generator) -> Image:
    ground = np.empty((side, side, 3), np.uint8)
    order = rng.permutation(len(CATEGORIES))
    for box, number in zip(guillotine(len(CATEGORIES), rng), order, strict=True):
        part = ground[box.pixels((side, side))]
        part[...] = CATEGORIES[number]((part.shape[0], part.shape[1]), rng)
    return ground
