"""gends: read datasets of degraded/clean pairs. What a trainer imports; no Ray, no diffusers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gends._version import __version__

if TYPE_CHECKING:
    from gends.dataset import PairDataset
    from gends.stream import PairStream

__all__ = ["PairDataset", "PairStream", "__version__"]


def __getattr__(name: str) -> Any:
    # Lazy, because every process of a build imports this package and most need no torch.
    if name == "PairDataset":
        from gends.dataset import PairDataset  # noqa: PLC0415

        return PairDataset
    if name == "PairStream":
        from gends.stream import PairStream  # noqa: PLC0415

        return PairStream
    raise AttributeError(f"module 'gends' has no attribute {name!r}")
