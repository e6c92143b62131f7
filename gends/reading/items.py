"""From rows to items: read and checked, moved alike, in the shape of a preset."""

from __future__ import annotations

import functools
import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gends.pipeline.format.damage import DamagedPairWarning, DamageError, PairError
from gends.pipeline.format.identity import labels_of, read_identity
from gends.pipeline.format.manifest import Row, shard_name
from gends.pipeline.reading.beside import GROUNDS, MAPS, read_members
from gends.pipeline.reading.reader import PAIR, ShardReader, read_pictures
from gends.pipeline.reading.shard_cache import ShardCache
from gends.pipeline.storage.opening import open_store
from gends.reading.augment import Augment, Move, WithMove
from gends.reading.presets import Item, check_labels, preset_of
from gends.reading.rows import Root, check_known

CACHE_BYTES = 64 << 30
PARALLEL = 8
"""Pairs read at a time from a bucket, where each costs a round trip."""

Numbers = Sequence[int] | None


class Items:
    """Makes items of rows. Picklable; see `PairDataset` for the arguments."""

    def __init__(  # noqa: PLR0913  each is a choice of its own
        self,
        roots: Sequence[Root],
        *,
        augment: Augment | None = None,
        preset: str = "plain",
        members: Sequence[str] = (),
        labels: Sequence[str] | None = None,
        transform: Callable[[Any], Any] | WithMove | None = None,
        on_damage: str = "raise",
        cache: Path | str | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """Read from `roots`, whose numbers rows name.

        Raises:
            ValueError: an unknown preset or `on_damage`, or `cache_bytes` below 1.
        """
        if on_damage not in ("raise", "skip"):
            raise ValueError(f'on_damage must be "raise" or "skip", got {on_damage!r}')
        self.roots = list(roots)
        self.augment = augment
        self.preset = preset_of(preset)
        self.members = tuple(members)
        if self.members and not self.preset.takes_members:
            raise ValueError(f"items of the preset {preset!r} have no place for members")
        self.labels = None if labels is None else check_labels(labels)
        self.transform = transform
        self.skips = on_damage == "skip"
        self.damaged = 0
        self._cache = None if cache is None else ShardCache(cache, cache_bytes)
        self.reopen()

    @property
    def is_remote(self) -> bool:
        """Whether any root is in a bucket."""
        return any(reader.is_remote for reader in self._readers)

    def reopen(self) -> None:
        """Let go of open files, which may be those of shards that were replaced."""
        self._readers = [ShardReader(root.url, self._cache) for root in self.roots]

    def check(self, rows: pa.Table) -> None:
        """Raise ValueError if a pair is smaller than the crop, or its label has no number."""
        if self.preset.is_labelled and self.labels is not None:
            check_known(
                "labels", "degradation", pc.unique(rows["degradation"]).to_pylist(), self.labels
            )
        if self.augment is None or not len(rows):
            return
        for side, wanted in zip(("height", "width"), self.augment.shape(0, 0), strict=True):
            least = pc.min(rows[side]).as_py()
            if wanted > least:
                raise ValueError(
                    f"crop {self.augment.crop} is larger than the smallest pair, {side} {least}: "
                    f"cut less, or give where=pyarrow.compute.field({side!r}) >= {wanted}"
                )

    def raw(self, row: Row, numbers: Numbers) -> Item:
        """The row, with `gt` and `lq`, uint8 (H, W, 3) RGB, moved by `numbers`.

        Raises:
            PairError: the shard is not as its manifest says, or what is stored cannot be decoded.
            StorageError: the store does not answer.
        """
        reader = self._readers[row["root"]]
        move = self._move(row, numbers)
        pictures = read_pictures(reader, row, move.window)
        item = {**row, "caption": row["caption"] or "", "move": move}
        root = str(self.roots[row["root"]].url).rstrip("/")
        item["path"] = f"{root}/{shard_name(row['shard'])}/{row['key']}"
        item.update((part, move.turn(pictures[part])) for part in PAIR)
        if self.members:
            for part, member in read_members(reader, row).items():
                item[part] = move.apply(member) if part in MAPS else member
            self._check_members(item)
        if self.preset.view is not None:
            item["view"] = self.preset.view(np.ascontiguousarray(item["lq"]))
        return item

    def _check_members(self, item: Item) -> None:
        for part in self.preset.members:
            if part not in item:
                raise ValueError(
                    f"{item['key']} has no {part}, which this preset needs: leave such pairs out "
                    f"by where=pyarrow.compute.field({part + '_size'!r}).is_valid()"
                )

    def _move(self, row: Row, numbers: Numbers) -> Move:
        if self.augment is None:
            return Move(window=None, flip=False, turns=0)
        return self.augment.draw(row["height"], row["width"], numbers)

    def attempts(self, rows: Iterable[tuple[Row, Numbers]]) -> Iterator[Item | PairError]:
        """Items as by `raw`, in order, or why there is none; several at a time from a bucket."""
        if not self.is_remote:
            yield from (self._attempt(pair) for pair in rows)
            return
        rows = iter(rows)
        with ThreadPoolExecutor(PARALLEL) as threads:
            while group := list(itertools.islice(rows, 2 * PARALLEL)):
                yield from threads.map(self._attempt, group)

    def _attempt(self, pair: tuple[Row, Numbers]) -> Item | PairError:
        try:
            return self.raw(*pair)
        except PairError as error:
            return error

    def shaped(self, attempts: Iterable[Item | PairError]) -> Iterator[Any]:
        """Finished items; damaged pairs are passed over or raised, as asked."""
        for attempt in attempts:
            if isinstance(attempt, PairError):
                self.pass_over(attempt)
            else:
                yield self.finished(attempt)

    def pass_over(self, error: DamageError) -> None:
        """Warn of a damaged pair or manifest and count it, or raise, as asked."""
        if not self.skips:
            raise error
        self.damaged += 1
        warnings.warn(f"skipped {error}", DamagedPairWarning, stacklevel=2)

    def finished(self, item: Item) -> Any:
        """The item in the shape of the preset, transformed."""
        shaped = self.formed(self._tensors(item) if self.preset.is_tensor else _arrays(item))
        if isinstance(self.transform, WithMove):
            return self.transform.function(shaped, item["move"])
        return shaped if self.transform is None else self.transform(shaped)

    def formed(self, item: Item) -> Any:
        """An item, or a batch of them, in the shape of the preset."""
        if self.preset.is_labelled:
            item = {**item, "labels": self._vocabulary}
        shaped = self.preset.shape(item)
        for part in self.members:
            if part in item and part not in shaped:
                shaped[part] = self.preset.scaled(part, item[part])
        return shaped

    @functools.cached_property
    def _vocabulary(self) -> tuple[str, ...]:
        """The labels that were given, or all that the datasets may have, whatever was chosen."""
        if self.labels is not None:
            return self.labels
        known = (labels_of(read_identity(open_store(root.url))) for root in self.roots)
        return tuple(sorted({label for labels in known for label in labels}))

    def _tensors(self, item: Item) -> Item:
        import torch  # noqa: PLC0415  plain items need none

        pictures = {part: item[part] for part in (*PAIR, "view", *GROUNDS) if part in item}
        channels_first = {
            part: torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))
            for part, picture in pictures.items()
        }
        return {**item, **channels_first, **tensors_of(item)}


def _arrays(item: Item) -> Item:
    """Pictures of their own memory: torch refuses views that count backwards."""
    own = {part: np.ascontiguousarray(item[part]) for part in (*PAIR, *MAPS) if part in item}
    return {**item, **own}


def tensors_of(item: Item) -> Item:
    """The maps of an item as tensors: uint8 masks, and bits in int64, as torch computes with it."""
    import torch  # noqa: PLC0415  plain items need none

    maps = {part: np.ascontiguousarray(item[part]) for part in MAPS if part in item}
    if "bits" in maps:
        maps["bits"] = maps["bits"].astype(np.int64)
    return {part: torch.from_numpy(plane) for part, plane in maps.items()}
