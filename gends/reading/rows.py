"""Which pairs of which datasets: rows of their manifests, chosen before any picture is read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gends.pipeline.format.arrow_values import numbers, texts
from gends.pipeline.format.manifest import ManifestError
from gends.pipeline.reading.reader import BESIDE, read_manifest, setting_of
from gends.pipeline.storage.opening import lasting, same_place

COLUMNS = (
    "key",
    "degradation",
    "steps",
    "engine",
    "origin",
    "split",
    "mu",
    "sigma",
    "caption",
    "width",
    "height",
    "shard",
    "gt_offset",
    "gt_size",
    "lq_offset",
    "lq_size",
    "gt_blake3",
    "lq_blake3",
)
"""Of the rows that are kept; `root`, a number, is added to them."""

Place = Path | str
Columns = dict[str, pa.ChunkedArray]
Roots = Place | Sequence[Place] | Mapping[str, Place | Sequence[Place]]


class Root(NamedTuple):
    """A dataset root, and what its pairs are called instead of what their manifest says."""

    url: str
    """Stays right when the process changes its folder."""
    origin: str | None = None


def listed(roots: Roots) -> list[Root]:
    """All roots, of whichever form, in order.

    Raises:
        ValueError: there are none, or one is there twice.
    """
    named = roots.items() if isinstance(roots, Mapping) else [(None, roots)]
    found = [Root(lasting(url), origin) for origin, group in named for url in _several(group)]
    if not found:
        raise ValueError("no root to read from")
    places = [same_place(root.url) for root in found]
    twice = dict.fromkeys(
        str(root.url) for root, place in zip(found, places, strict=True) if places.count(place) > 1
    )
    if twice:
        raise ValueError(f"{', '.join(twice)}: listed twice; to draw more of a root, give a mix")
    return found


def _several(group: Place | Sequence[Place]) -> Sequence[Place]:
    return [group] if isinstance(group, str | Path) else group


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFilter:
    """Which rows to keep; None keeps all. See `PairDataset`."""

    degradations: Sequence[str] | None = None
    severity: tuple[float, float] | None = None
    origins: Sequence[str] | None = None
    split: str | None = None
    where: pc.Expression | None = None
    members: Sequence[str] = ()
    """What else than the pair will be read: the rows then say where it is."""

    def __post_init__(self) -> None:
        for name in self.members:
            if isinstance(self.members, str) or name not in BESIDE:
                raise ValueError(
                    f"members are of {', '.join(BESIDE)}, as in members=({BESIDE[0]!r},); "
                    f"got {self.members!r}"
                )
        if self.severity is not None and not _is_range(self.severity):
            raise ValueError(f"severity must be (low, high) of mu, got {self.severity!r}")
        for name in ("degradations", "origins"):
            if getattr(self, name) is not None and not len(getattr(self, name)):
                raise ValueError(f"{name} is empty, so no pair is left: None keeps all")
        if self.where is not None and not isinstance(self.where, pc.Expression):
            raise ValueError(
                f"where must be an expression such as pyarrow.compute.field('width') >= 256, "
                f"got {self.where!r}"
            )

    def read(
        self,
        roots: Sequence[Root],
        *,
        shards: Sequence[int] | None = None,
        strict: bool = True,
        damaged: list[ManifestError] | None = None,
    ) -> pa.Table:
        """Rows of the accepted pairs, in order of root, shard and key.

        Args:
            roots: where to look.
            shards: only these, of each root; None reads all.
            strict: raise if a value that is asked for is nowhere, or nothing is left.
            damaged: leaves out shards whose manifest is damaged, and is given the errors.

        Raises:
            ManifestError: a manifest is damaged, and `damaged` is None or nothing is left.
            ValueError: as told by `strict`, or what `read_manifest` raises.
        """
        tables = [self._read(number, root, shards, damaged) for number, root in enumerate(roots)]
        rows = pa.concat_tables(tables)
        if strict and damaged and not len(rows):
            raise damaged[0]
        where = ", ".join(str(root.url) for root in roots)
        if strict and self.where is not None and not len(rows):
            raise ValueError(f"{where}: no pair with where={self.where}")
        for column, wanted in self._wanted():
            if strict:
                check_known(where, column, wanted, pc.unique(rows[column]).to_pylist())
            rows = rows.filter(pc.is_in(rows[column], value_set=texts(*wanted)))
        if self.severity is None:
            return rows
        low, high = numbers([*map(float, self.severity)])
        mu = rows["mu"]
        kept = rows.filter(pc.and_(pc.greater_equal(mu, low), pc.less_equal(mu, high)))
        if strict and len(rows) and not len(kept):
            found = pc.min_max(mu).as_py()
            raise ValueError(
                f"{where}: no pair with severity {self.severity}; "
                f"mu is in [{found['min']:.3g}, {found['max']:.3g}]"
            )
        return kept

    def check_members(self, rows: pa.Table) -> None:
        """Raise ValueError if a member that is asked for is beside none of the pairs."""
        for name in self.members:
            if len(rows) and rows[f"{name}_size"].null_count == len(rows):
                raise ValueError(
                    f"no pair has a {name}: the build should have had "
                    f"`members: [{setting_of(name)}]` in its configuration; leave {name!r} out, or "
                    "read a dataset that has it"
                )

    @property
    def _columns(self) -> list[str]:
        places = [
            f"{part}_{what}" for part in self.members for what in ("offset", "size", "blake3")
        ]
        return [*COLUMNS, *places]

    def _read(
        self,
        number: int,
        root: Root,
        shards: Sequence[int] | None,
        damaged: list[ManifestError] | None,
    ) -> pa.Table:
        table = read_manifest(
            root.url, columns=self._columns, shards=shards, where=self.where, damaged=damaged
        )
        if root.origin is not None:
            origin = texts(*[root.origin] * len(table))
            table = table.set_column(table.column_names.index("origin"), "origin", origin)
        return table.append_column("root", numbers(np.full(len(table), number, np.int32)))

    def _wanted(self) -> list[tuple[str, list[str]]]:
        asked = (
            ("degradation", self.degradations),
            ("origin", self.origins),
            ("split", self.split),
        )
        return [(column, _texts(wanted)) for column, wanted in asked if wanted is not None]


def _is_range(severity: Any) -> bool:
    try:
        low, high = severity
        return bool(low <= high and not math.isinf(low))
    except (TypeError, ValueError):
        return False


def check_known(
    where: Place, column: str, wanted: Sequence[str] | None, known: Sequence[str]
) -> None:
    """Raise ValueError unless all values that are `wanted` of a column exist."""
    if missing := [value for value in _texts(wanted or []) if value not in known]:
        raise ValueError(
            f"{where}: no pair with {column} {missing}; there are {sorted(map(str, known))}"
        )


def _texts(wanted: Sequence[str]) -> list[str]:
    return [wanted] if isinstance(wanted, str) else list(wanted)


def columns_of(rows: pa.Table) -> Columns:
    """The columns by name, for `row_at`: to look them up in the table costs more than a row."""
    return {name: rows[name] for name in rows.column_names}


def row_at(columns: Columns, index: int) -> dict[str, Any]:
    """One row as a dict; five times as fast as by slicing the table."""
    return {name: column[index].as_py() for name, column in columns.items()}
