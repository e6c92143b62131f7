"""What an evaluation is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gends.models.metrics.default import DEFAULT
from gends.pipeline.evaluation.groups import SEVERITIES


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The flags of `gends-build evaluate`; see its help."""

    judged: Path
    """Folder of a restorer, or of restored pictures."""
    data: tuple[str, ...]
    """Roots of datasets."""
    train_data: tuple[str, ...] = ()
    """Roots of datasets that were trained on."""
    out: Path | None = None
    overwrite: bool = False
    split: str | None = None
    train_split: str | None = None
    degradations: tuple[str, ...] | None = None
    limit: int | None = None
    metrics: tuple[str, ...] = DEFAULT
    lpips_weights: Path | None = None
    edges: tuple[float, ...] = SEVERITIES
    resamples: int = 2000
    seed: int = 0
    tile: int = 512
    overlap: int = 64
    device: str | None = None
    bf16: bool | None = None
    threads: int | None = None
