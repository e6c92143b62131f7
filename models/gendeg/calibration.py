"""What mu to ask a model for, so that it produces the mu that is wanted."""

from __future__ import annotations

import json
import reprlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gends.models.degradations import DEGRADATIONS
from gends.models.files.json_object import read_object

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A strictly rising piecewise linear map of [0, ∞), through the origin.

    Beyond the last knot the ratio of the last knot goes on.
    """

    asked: tuple[float, ...]
    """mu given to the model, rising, above 0."""
    produced: tuple[float, ...]
    """mu measured on what it makes of `asked`, rising, above 0."""

    def __post_init__(self) -> None:
        """Refuse knots that do not rise."""
        for name in ("asked", "produced"):
            knots = getattr(self, name)
            rising = all(map(_is_finite, knots)) and (np.diff([0.0, *knots]) > 0).all()
            if not knots or not rising:
                shown = reprlib.repr(list(knots))
                raise ValueError(f"{name} {shown}: give rising finite numbers above 0")
        if len(self.asked) != len(self.produced):
            raise ValueError(
                f"{len(self.asked)} values asked, {len(self.produced)} produced: give as many"
            )

    def ask_for(self, wanted: float) -> float:
        """The mu to ask for."""
        return _interpolate(wanted, self.produced, self.asked)


def fit_curve(requested: npt.ArrayLike, measured: npt.ArrayLike, *, knots: int = 12) -> Curve:
    """The curve of one degradation from pairs of requested and measured mu.

    Pairs are averaged in up to `knots` groups of equal size along `requested`; isotonic regression
    (pool adjacent violators) makes the averages rise.

    Raises:
        ValueError: fewer than two pairs, different lengths, or values that are not above 0.
    """
    asked = np.asarray(requested, dtype=np.float64)
    produced = np.asarray(measured, dtype=np.float64)
    if asked.ndim != 1 or asked.shape != produced.shape or len(asked) < 2:
        raise ValueError(
            f"requested {asked.shape} and measured {produced.shape}: "
            "give two lists of one length, 2 or more"
        )
    if not (np.isfinite(asked) & np.isfinite(produced) & (asked > 0) & (produced > 0)).all():
        raise ValueError("requested and measured mu must be finite and above 0")
    order = np.argsort(asked, kind="stable")
    groups = np.array_split(order, min(knots, len(order)))
    x = np.array([asked[group].mean() for group in groups])
    y = np.array([produced[group].mean() for group in groups])
    x, y = _pool_adjacent_violators(x, y, np.array([len(group) for group in groups], float))
    return Curve(asked=tuple(x.tolist()), produced=tuple(y.tolist()))


@dataclass(frozen=True, slots=True)
class Calibration:
    """A curve for each degradation that has one; the others are asked for what is wanted."""

    curves: Mapping[str, Curve] = field(default_factory=dict)

    def apply(self, degradation: str, mu: float) -> float:
        """The mu to ask the model for."""
        curve = self.curves.get(degradation)
        return mu if curve is None else curve.ask_for(mu)

    def save(self, path: Path) -> None:
        """Write JSON: degradation → {asked, produced}."""
        table = {
            name: {"asked": curve.asked, "produced": curve.produced}
            for name, curve in sorted(self.curves.items())
        }
        path.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Calibration:
        """Read what `save` wrote.

        Raises:
            ValueError: not such a file.
        """
        table = read_object(path)
        try:
            if foreign := sorted(table.keys() - DEGRADATIONS.keys()):
                known = ", ".join(DEGRADATIONS)
                raise ValueError(f"{', '.join(foreign)} is no degradation; known: {known}")
            return cls(
                {
                    name: Curve(asked=tuple(c["asked"]), produced=tuple(c["produced"]))
                    for name, c in table.items()
                }
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is not a calibration: {error}") from error


def _is_finite(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) <= sys.float_info.max


def _interpolate(x: float, xs: tuple[float, ...], ys: tuple[float, ...]) -> float:
    if x > xs[-1]:
        return x * ys[-1] / xs[-1]
    return float(np.interp(x, (0.0, *xs), (0.0, *ys)))


def _pool_adjacent_violators(x: Values, y: Values, weight: Values) -> tuple[Values, Values]:
    """Merge neighbours until both rise by a thousandth; merged ones become their weighted mean.

    Isotonic regression as scipy and scikit-learn have it lets neighbours be equal and leaves x as
    it is: its result has no inverse, which a curve needs.
    """
    blocks: list[tuple[float, float, float]] = []
    for block in zip(x.tolist(), y.tolist(), weight.tolist(), strict=True):
        merged = block
        while blocks and not all(blocks[-1][i] * 1.001 < merged[i] for i in (0, 1)):
            last = blocks.pop()
            total = last[2] + merged[2]
            merged = (
                (last[0] * last[2] + merged[0] * merged[2]) / total,
                (last[1] * last[2] + merged[1] * merged[2]) / total,
                total,
            )
        blocks.append(merged)
    return np.array([b[0] for b in blocks]), np.array([b[1] for b in blocks])
