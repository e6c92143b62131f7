"""What loader workers hand over: all pictures in one array, everything else beside."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch.utils.data import default_collate, get_worker_info

from gends.models.degrader import Image
from gends.pipeline.format.damage import PairError
from gends.pipeline.reading.beside import GROUNDS
from gends.pipeline.reading.reader import PAIR
from gends.reading.items import Items, tensors_of
from gends.reading.presets import Item

NAMES = ("key", "degradation", "steps", "mu", "sigma", "caption", "path")
"""What presets are made of, beside pictures."""


Collate = Callable[[list[Any]], Any]
"""From finished items to a batch."""


@dataclass(slots=True, kw_only=True)
class WorkerBatch:
    """Pairs on their way from a worker."""

    count: int
    """Places of the epoch's order that it stands for, damaged pairs among them."""
    damaged: list[PairError]
    names: dict[str, list[Any]] = field(default_factory=dict)
    """Columns of the rows."""
    pictures: torch.Tensor | None = None
    """uint8 (2, B, H, W, 3), or (2, B, 3, H, W) for presets of tensors: all gt, all lq."""
    views: torch.Tensor | None = None
    """uint8 (B, 3, H, W), for presets that have a view of their own."""
    members: dict[str, torch.Tensor] = field(default_factory=dict)
    """What is beside the pairs, by part: (B, H, W), grounds as the pictures."""
    items: Any = None
    """Instead of names and pictures the finished items, collated, where there is a transform or
    a collate of the trainer's own."""

    def pin_memory(self) -> WorkerBatch:
        """The batch in pinned memory: torch calls this."""
        parts = ("pictures", "views", "members", "items")
        return replace(self, **{name: mapped(_pinned, getattr(self, name)) for name in parts})


def _pinned(tensor: torch.Tensor) -> torch.Tensor:
    """Where there is anything to pin: a transform may make tensors of other kinds."""
    dense = tensor.device.type == "cpu" and tensor.layout == torch.strided
    return tensor.pin_memory() if dense else tensor


def mapped(function: Callable[[torch.Tensor], torch.Tensor], items: Any) -> Any:
    """Collated items of any nesting, with what `function` makes of their tensors."""
    if isinstance(items, torch.Tensor):
        return function(items)
    kind: Any = type(items)
    if isinstance(items, Mapping):
        named = {name: mapped(function, part) for name, part in items.items()}
        if not isinstance(items, MutableMapping):
            return kind(named)
        changed = copy.copy(items)  # as torch collates them: a class may have more than its items
        changed.update(named)
        return changed
    if isinstance(items, Sequence) and not isinstance(items, str | bytes):
        parts = [mapped(function, part) for part in items]
        if not isinstance(items, MutableSequence):
            return kind(*parts) if hasattr(items, "_fields") else kind(parts)
        replaced = copy.copy(items)
        replaced[:] = parts
        return replaced
    return items


def assembled(
    items: Items,
    collate: Collate | None,
    found: list[Item],
    damaged: list[PairError],
    count: int,
) -> WorkerBatch:
    """A batch of what was found.

    Raises:
        ValueError: pairs that are no batch, as their sizes differ or some lack a member.
    """
    batch = WorkerBatch(count=count, damaged=damaged)
    if not found:
        return batch
    if collate is not None:
        batch.items = collate([items.finished(item) for item in found])
        return batch
    _check_alike(items, found)
    if items.transform is not None:
        batch.items = default_collate([items.finished(item) for item in found])
        return batch
    batch.names = {name: [item[name] for item in found] for name in NAMES}
    first = items.preset.is_tensor
    batch.pictures = _stacked([[item[part] for item in found] for part in PAIR], first)
    if items.preset.view is not None:
        batch.views = _stacked([[item["view"] for item in found]], first)[0]
    for part in items.members:
        if part in GROUNDS:
            batch.members[part] = _stacked([[item[part] for item in found]], first)[0]
        else:
            batch.members[part] = torch.stack([tensors_of(item)[part] for item in found])
    return batch


def _check_alike(items: Items, found: list[Item]) -> None:
    """Raise ValueError unless all pairs have one size and all members that are asked for."""
    for part in items.members:
        if lacking := [item["key"] for item in found if part not in item]:
            raise ValueError(
                f"pairs without a {part} ({', '.join(lacking[:3])}) are no batch with others: "
                f"choose by where=pyarrow.compute.field({part + '_size'!r}).is_valid()"
            )
    sizes = {item["gt"].shape[:2] for item in found}
    if len(sizes) > 1 and items.transform is None:
        shown = ", ".join(sorted(f"{width}x{height}" for height, width in sizes))
        raise ValueError(
            f"pictures of different sizes ({shown}) are no batch: crop them by "
            "augment=Augment(crop=…), choose one size by where=, use batch_size=1, or give the "
            "loader a collate= of your own"
        )


def _stacked(groups: list[list[Image]], channels_first: bool) -> torch.Tensor:
    """Groups of pictures in one array, inside a worker in memory that the trainer sees too."""
    height, width, channels = groups[0][0].shape
    shape = (channels, height, width) if channels_first else (height, width, channels)
    stack = _empty((len(groups), len(groups[0]), *shape))
    pixels = stack.numpy()
    for place, group in zip(pixels, groups, strict=True):
        for target, picture in zip(place, group, strict=True):
            target[:] = picture.transpose(2, 0, 1) if channels_first else picture
    return stack


def _empty(shape: tuple[int, ...]) -> torch.Tensor:
    if get_worker_info() is None:
        return torch.empty(shape, dtype=torch.uint8)
    # As torch's own collation does: share_memory_() would copy what is not there yet.
    storage = torch.UntypedStorage._new_shared(math.prod(shape))  # type: ignore[no-untyped-call]
    return torch.empty(0, dtype=torch.uint8).set_(storage).view(shape)
