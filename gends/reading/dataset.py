"""Map-style access to the pairs of one or several datasets."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from gends.pipeline.format.damage import PairError
from gends.pipeline.format.manifest import ManifestError, Row
from gends.reading.augment import Augment, WithMove
from gends.reading.items import CACHE_BYTES, Items, Numbers
from gends.reading.presets import Item, wanted_members
from gends.reading.rows import Columns, Roots, RowFilter, columns_of, listed, row_at

if TYPE_CHECKING:
    import torch


class PairDataset:
    """The accepted pairs of datasets, by index; works with `torch.utils.data.DataLoader`.

    A plain item is a dict of `gt` and `lq` (uint8, (H, W, 3), RGB), `key`, `degradation`, `mu`,
    `sigma`, `steps` (names of what was done, in order) and `caption` (empty when there is none),
    and of the `members` that were asked for. Only committed shards are seen, as they were
    when the dataset was opened. All bytes are compared with the checksums of their manifest: that
    takes 0.5 ms per MB, a tenth of decoding, and 136 bytes of memory per pair.
    """

    def __init__(  # noqa: PLR0913  each is a choice of its own
        self,
        root: Roots,
        *,
        degradations: Sequence[str] | None = None,
        severity: tuple[float, float] | None = None,
        origins: Sequence[str] | None = None,
        split: str | None = None,
        where: pc.Expression | None = None,
        members: Sequence[str] = (),
        augment: Augment | None = None,
        preset: str = "plain",
        labels: Sequence[str] | None = None,
        transform: Callable[[Any], Any] | WithMove | None = None,
        on_damage: str = "raise",
        cache: Path | str | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """Open dataset roots: folders that `gends-build run` wrote, or their buckets.

        Args:
            root: one root, a list of them, or a dict of names to roots or lists of them. The names
                are then the pairs' origins instead of what their manifests say, as in
                `{"original": …, "generated": …}`.
            degradations: keep only pairs of these labels, which are names of degradations or
                mixtures; None keeps all.
            severity: keep pairs whose measured mu is in [low, high].
            origins: keep only these.
            split: keep only pairs whose clean image is of this split.
            where: keep the rows of manifests of which this expression over any of their columns
                is true, as `pyarrow.compute.field("width") >= 256`. As all of the above, it chooses
                before any picture is read.
            members: what to read that is stored beside pairs: of "mask", "bits", "ground" and
                "ground_lq". A mask is uint8 (H, W) of labels, bits uint32 (H, W), both moved along
                with gt and lq; grounds are uint8 (224, 224, 3), and not moved. Presets that need
                some read them unasked.
            augment: how to cut, mirror and turn pairs.
            preset: shape of the items: plain, tensor, basicsr, promptir, daclip, diffplugin,
                abair, defusion or diffrestorer.
            labels: of the preset diffrestorer: the label of number 0, of number 1 and so on. By
                default all labels that the datasets may have, sorted.
            transform: applied to every item, after the preset. In a `WithMove`, it is told how
                the pair was moved, too.
            on_damage: "raise" a PairError, or "skip" the pair with a DamagedPairWarning: batches
                and iteration then are shorter by it. Asked for alone, it always raises. A shard
                whose manifest is damaged raises a ManifestError, or is left out with such a
                warning when the dataset is opened: none of its pairs has an index then.
            cache: folder on a local disk to keep copies of shards in, for roots in buckets; made
                if need be. Shards are fetched whole, so reading in random order needs room for all
                of them.
            cache_bytes: how large that folder may become.

        Raises:
            DatasetNotFoundError: no committed shard under a root.
            ManifestError: a manifest is damaged and not to be skipped, or all pairs are lost so.
            StorageError: the store does not answer, or `cache` is no folder to be written in.
            ValueError: a value that no pair has, or another argument that is none.
        """
        roots = listed(root)
        selection = RowFilter(
            degradations=degradations,
            severity=severity,
            origins=origins,
            split=split,
            where=where,
            members=wanted_members(preset, members),
        )
        self.items = Items(
            roots,
            augment=augment,
            preset=preset,
            members=selection.members,
            labels=labels,
            transform=transform,
            on_damage=on_damage,
            cache=cache,
            cache_bytes=cache_bytes,
        )
        # Arrow columns, not Python objects: forked loader workers then share their pages.
        damaged: list[ManifestError] | None = [] if self.items.skips else None
        self.rows = selection.read(roots, damaged=damaged).combine_chunks()
        for error in damaged or ():
            self.items.pass_over(error)
        selection.check_members(self.rows)
        self.items.check(self.rows)
        self._epoch = None if augment is None else _shared_epoch()

    @property
    def epoch(self) -> int | None:
        """What augmentations are drawn by, together with the index; None until it is set."""
        return None if self._epoch is None or self._epoch < 0 else int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Make augmentations a function of epoch and index, here and in loader workers."""
        if self._epoch is not None:
            self._epoch.fill_(epoch)

    @property
    def damaged(self) -> int:
        """How many damaged pairs this process passed over; a shard without a manifest is one."""
        return self.items.damaged

    def __len__(self) -> int:
        """Number of pairs."""
        return int(self.rows.num_rows)

    def __iter__(self) -> Iterator[Any]:
        """All pairs in order."""
        yield from self._read(range(len(self)))

    def __getitem__(self, index: int) -> Any:
        """Read and decode one pair.

        Raises:
            PairError: its bytes are missing or not those that its manifest recorded.
            StorageError: the store does not answer, or this machine has no open file, right or room
                left to read it: never skipped as damage.
        """
        return self.items.finished(self.raw(index, self._numbers(index)))

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Several pairs at once, as loaders of torch ask for them.

        Raises:
            PairError: as `__getitem__`; where damage is skipped only if no pair is whole.
            StorageError: the store does not answer.
        """
        found = list(self._read(indices))
        if indices and not found:
            raise PairError(
                f"all {len(indices)} pairs of a batch are damaged: run gends-build verify"
            )
        return found

    def raw(self, index: int, numbers: Numbers) -> Item:
        """The row of a pair with its pictures, before preset and transform; see `Items.raw`."""
        return self.items.raw(self._row(index), numbers)

    def attempts(self, places: Iterable[tuple[int, Numbers]]) -> Iterator[Item | PairError]:
        """What `raw` returns or raises of these indices, each moved by its numbers, in order."""
        return self.items.attempts((self._row(index), numbers) for index, numbers in places)

    def _read(self, indices: Iterable[int]) -> Iterator[Any]:
        places = ((index, self._numbers(index)) for index in indices)
        return self.items.shaped(self.attempts(places))

    def _row(self, index: int) -> Row:
        index = operator.index(index)  # which says so where it is no number
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} of {len(self)} pairs")
        return row_at(self._columns, index % len(self))

    @functools.cached_property
    def _columns(self) -> Columns:
        return columns_of(self.rows)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_columns"}

    def _numbers(self, index: int) -> Numbers:
        return None if self.epoch is None else (self.epoch, index % len(self))


def _shared_epoch() -> torch.Tensor:
    from gends.reading.shared import shared_numbers  # noqa: PLC0415  plain pairs need no torch

    return shared_numbers(-1)[0]
