"""A restorer that a training goes on from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gends.models.restorers.catalogue import Restorer, create, load
from gends.models.restorers.published import load_published


def load_start(arch: str, preset: str, path: Path) -> Restorer:
    """A restorer of a size that is named, with weights from elsewhere; float32, on the CPU.

    Args:
        arch: A name in `catalogue.ARCHITECTURES`.
        preset: A name in that architecture's presets.
        path: The folder of a trained restorer, or a checkpoint of its authors.

    Raises:
        ValueError: unknown names, no restorer there, or one of another architecture or size.
        ImportError: the architecture needs a package that is not installed; it is named.
    """
    if not path.is_dir():
        return load_published(arch, preset, path)
    restorer, wanted = load(path), create(arch, preset, seed=0)
    if type(restorer) is not type(wanted):
        raise ValueError(f"{path} holds a {type(restorer).__name__}, and {arch} is asked for")
    was, wants = _size(restorer), _size(wanted)
    if was != wants:
        told = (f"{key} {was[key]} for {wants[key]}" for key in wants if was[key] != wants[key])
        raise ValueError(f"{path} is no {arch} {preset!r}: {', '.join(told)}")
    return restorer


def _size(restorer: Restorer) -> dict[str, Any]:
    """Arguments of its class; lists, as JSON has them, for tuples."""
    arguments = {key: value for key, value in restorer.config.items() if not key.startswith("_")}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in arguments.items()}
