"""gends: read datasets of degraded/clean pairs, or degrade pictures while training.

What a trainer imports; no Ray, no diffusers.

>>> from gends import Augment, PairLoader, PairStream
>>> stream = PairStream("dataset/", preset="tensor", augment=Augment(crop=64, flip=True))
>>> loader = PairLoader(stream, batch_size=4)
>>> batch = next(iter(loader))
>>> batch["lq"].shape, batch["gt"].shape
(torch.Size([4, 3, 64, 64]), torch.Size([4, 3, 64, 64]))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gends._version import __version__

if TYPE_CHECKING:
    from gends.degrading.degrade import degrade
    from gends.degrading.transform import Degrade
    from gends.reading.augment import Augment, WithMove
    from gends.reading.dataset import PairDataset
    from gends.reading.growing_stream import GrowingStream
    from gends.reading.loader import GrowingLoader, PairLoader
    from gends.reading.stream import PairStream

__all__ = [
    "Augment",
    "Degrade",
    "GrowingLoader",
    "GrowingStream",
    "PairDataset",
    "PairLoader",
    "PairStream",
    "WithMove",
    "__version__",
    "degrade",
]

_MODULES = {
    "Augment": "gends.reading.augment",
    "Degrade": "gends.degrading.transform",
    "degrade": "gends.degrading.degrade",
    "GrowingLoader": "gends.reading.loader",
    "GrowingStream": "gends.reading.growing_stream",
    "PairDataset": "gends.reading.dataset",
    "PairLoader": "gends.reading.loader",
    "PairStream": "gends.reading.stream",
    "WithMove": "gends.reading.augment",
}


def __getattr__(name: str) -> Any:
    # Lazy, because every process of a build imports this package and most need no torch.
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'gends' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
