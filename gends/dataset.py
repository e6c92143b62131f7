"""Map-style access to the pairs of a dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from gends.pipeline.pack import decode
from gends.pipeline.reader import ShardReader, read_manifest

COLUMNS = (
    "key",
    "degradation",
    "mu",
    "sigma",
    "caption",
    "shard",
    "gt_offset",
    "gt_size",
    "lq_offset",
    "lq_size",
)

Item = dict[str, Any]


class PairDataset:
    """The accepted pairs of a dataset, by index; works with `torch.utils.data.DataLoader`.

    An item is a dict of `gt` and `lq` (uint8, (H, W, 3), RGB), `key`, `degradation`, `mu`, `sigma`
    and `caption` (empty when there is none). Only committed shards are seen, as they were when the
    dataset was opened.
    """

    def __init__(
        self,
        root: Path | str,
        *,
        degradations: Sequence[str] | None = None,
        split: str | None = None,
        transform: Callable[[Item], Any] | None = None,
    ) -> None:
        """Open a dataset root.

        Args:
            root: folder that `gends-build run` wrote.
            degradations: keep only these; None keeps all.
            split: keep only pairs whose clean image is of this split; None keeps all.
            transform: applied to every item.

        Raises:
            DatasetNotFoundError: no committed shard under `root`.
            ValueError: a degradation or split that no pair has.
        """
        rows = read_manifest(root, columns=[*COLUMNS, "split"])
        for column, wanted in (("degradation", degradations), ("split", split)):
            if wanted is None:
                continue
            values = [wanted] if isinstance(wanted, str) else list(wanted)
            known = sorted(pc.unique(rows[column]).to_pylist())
            if missing := [value for value in values if value not in known]:
                raise ValueError(f"{root}: no pair with {column} {missing}; there are {known}")
            rows = rows.filter(pc.is_in(rows[column], value_set=pa.array(values, pa.string())))
        # Arrow columns, not Python objects: forked loader workers then share their pages.
        self.rows = rows.combine_chunks()
        self.transform = transform
        self._reader = ShardReader(root)

    def __len__(self) -> int:
        """Number of pairs."""
        return int(self.rows.num_rows)

    def __iter__(self) -> Iterator[Any]:
        """All pairs in order."""
        for index in range(len(self)):
            yield self[index]

    def __getitem__(self, index: int) -> Any:
        """Read and decode one pair."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} of {len(self)} pairs")
        row = self.rows.slice(index % len(self), 1).to_pylist()[0]
        item = {name: row[name] for name in ("key", "degradation", "mu", "sigma")}
        item["caption"] = row["caption"] or ""
        for part in ("gt", "lq"):
            data = self._reader.read(row["shard"], row[f"{part}_offset"], row[f"{part}_size"])
            item[part] = decode(data)
        return item if self.transform is None else self.transform(item)
