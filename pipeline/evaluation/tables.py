"""Tables for people, whatever they are written in: rows of `SCHEMA` as printed cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

DECIMALS = {"psnr": 2, "ssim": 3, "lpips": 3, "dists": 3, "fid": 1, "niqe": 2, "musiq": 2}
OTHER_DECIMALS = 3
GROUP = ("degradation", "severity_dataset", "mu_low", "mu_high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A figure as it is printed, and its interval where there is one."""

    value: str
    low: str | None = None
    high: str | None = None
    pairs: int | None = None
    """How many pairs have a number, where these are not all of the row's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One table."""

    title: str
    labels: tuple[str, ...]
    """Headings of the columns that say what a row is of."""
    metrics: tuple[tuple[str, bool], ...]
    """Name, and whether lower is better, of the other columns."""
    rows: tuple[tuple[tuple[str, ...], tuple[Cell | None, ...]], ...]
    """Labels, and one cell per metric; None where there is no figure."""


def sheets_of(summary: pa.Table) -> list[Sheet]:
    """Three tables of one dataset: by degradation, by severity dataset, by severity."""
    rows = summary.to_pylist()
    metrics = tuple(dict.fromkeys((row["metric"], row["lower_is_better"]) for row in rows))
    by_mu, by_dataset, whole = [], [], []
    for row in rows:
        if row["mu_low"] is not None:
            by_mu.append(row)
        elif row["severity_dataset"] is not None:
            by_dataset.append(row)
        else:
            whole.append(row)
    kinds = [
        ("By degradation", (), whole),
        ("By severity dataset", ("severity dataset",), by_dataset),
        ("By severity", ("mu",), by_mu),
    ]
    return [
        Sheet(
            title=title,
            labels=("degradation", *labels, "pairs", "images"),
            metrics=metrics,
            rows=tuple(_rows(found, metrics)),
        )
        for title, labels, found in kinds
        if found
    ]


def metric_heading(name: str, lower_is_better: bool, arrows: tuple[str, str] = ("↑", "↓")) -> str:
    """`PSNR ↑`."""
    return f"{name.upper()} {arrows[lower_is_better]}"


def datasets_of(summary: pa.Table) -> list[tuple[str, pa.Table]]:
    """Name and rows of each dataset, in the order in which they come."""
    names = pc.unique(summary["data"]).to_pylist()
    return [(name, summary.filter(pc.equal(summary["data"], name))) for name in names]


def numbered(names: Iterable[str]) -> Iterator[str]:
    """The names, told apart where they repeat: `a`, `A`, `b` → `a`, `A-2`, `b`.

    Names of files that differ in capitals alone are one name on some disks.
    """
    taken: set[str] = set()
    for name in names:
        own, number = name, 1
        while own.casefold() in taken:
            number += 1
            own = f"{name}-{number}"
        taken.add(own.casefold())
        yield own


def _rows(
    found: list[dict[str, Any]], metrics: Sequence[tuple[str, bool]]
) -> Iterator[tuple[tuple[str, ...], tuple[Cell | None, ...]]]:
    groups: dict[tuple[Any, ...], dict[str, dict[str, dict[str, Any]]]] = {}
    for row in found:
        by_images = groups.setdefault(tuple(row[name] for name in GROUP), {})
        by_images.setdefault(row["images"], {})[row["metric"]] = row
    for group, by_images in groups.items():
        pairs = max(row["pairs"] for figures in by_images.values() for row in figures.values())
        for images, figures in by_images.items():
            cells = tuple(_cell(figures.get(name), pairs, images) for name, _ in metrics)
            yield (*_labels(group), str(pairs), images), cells


def _labels(group: tuple[Any, ...]) -> Iterator[str]:
    degradation, dataset, low, high = group
    yield "all" if degradation is None else degradation.replace("_", " ")
    if dataset is not None:
        yield dataset
    if low is not None:
        yield f"{low:g}–{high:g}"


def _cell(row: dict[str, Any] | None, pairs: int, images: str) -> Cell | None:
    if row is None:
        return None
    places, sign = DECIMALS.get(row["metric"], OTHER_DECIMALS), "+" if images == "gain" else ""

    def printed(value: float | None) -> str | None:
        return None if value is None else f"{value:{sign}.{places}f}"

    return Cell(
        value=f"{row['value']:{sign}.{places}f}",
        low=printed(row["low"]),
        high=printed(row["high"]),
        pairs=None if row["pairs"] == pairs else row["pairs"],
    )
