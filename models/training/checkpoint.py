"""Checkpoints on disk: safetensors and JSON, complete or absent, never pickled.

Layout: `<directory>/step-000001000/` with one `<part>.safetensors` per group of tensors and
`state.json`. A checkpoint is written under a hidden name, flushed to the disk and renamed, so
whatever bears the final name is whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from gends.models.files.erase import erase
from gends.models.files.flush import flush

FORMAT = 1
_NAME = re.compile(r"step-(\d{9})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Everything needed to go on after `step` completed steps."""

    step: int
    tensors: Mapping[str, Mapping[str, Tensor]]
    """Part (model, ema, optimizer) → name → tensor."""
    state: Mapping[str, Any]
    """JSON values."""


def write_checkpoint(directory: Path, checkpoint: Checkpoint, *, keep: int = 2) -> Path:
    """Write atomically, then delete all but the `keep` newest; returns the checkpoint's folder."""
    final = directory / f"step-{checkpoint.step:09d}"
    partial = directory / f".partial-{final.name}"
    erase(partial)
    partial.mkdir(parents=True)
    for part, tensors in checkpoint.tensors.items():
        whole = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
        save_file(whole, partial / f"{part}.safetensors")
    record = {"format": FORMAT, "step": checkpoint.step, "state": checkpoint.state}
    (partial / "state.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    for path in (*partial.iterdir(), partial):
        flush(path)
    partial.rename(final)
    flush(directory)
    for old in _checkpoints(directory)[:-keep]:
        erase(old)
    return final


def latest_checkpoint(directory: Path) -> Path | None:
    """The folder of the newest complete checkpoint, or None."""
    found = _checkpoints(directory)
    return found[-1] if found else None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read one checkpoint folder onto the CPU. Raises ValueError for another format version."""
    tensors = {file.stem: load_file(file) for file in sorted(path.glob("*.safetensors"))}
    step, state = read_state(path)
    return Checkpoint(step=step, tensors=tensors, state=state)


def read_state(path: Path) -> tuple[int, dict[str, Any]]:
    """Completed steps and JSON values of a checkpoint, without its tensors; raises as above."""
    record = json.loads((path / "state.json").read_text(encoding="utf-8"))
    if record["format"] != FORMAT:
        raise ValueError(
            f"checkpoint {path} has format {record['format']}, this version reads {FORMAT}: "
            "go on with the version that wrote it, or start in another directory"
        )
    return record["step"], record["state"]


def _checkpoints(directory: Path) -> list[Path]:
    return sorted(path for path in directory.glob("step-*") if _NAME.fullmatch(path.name))
