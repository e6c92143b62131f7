"""How a source of photographs is read."""

from __future__ import annotations

from dataclasses import dataclass

from gends.pipeline.sources.passed_over import PassedOver


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """What of a source may be used, and where it is counted what is not."""

    outside: bool
    """Also what a path or link leads to outside of the source's folder."""
    member: tuple[str, ...]
    """Which images of a tar sample are photographs; see `samples.photographs`."""
    own_output: bool
    """Also what gends itself made, whose pictures are degraded ones."""
    passed_over: PassedOver
