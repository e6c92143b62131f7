"""One network as a folder: config.json and safetensors, read back strictly."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from transformers.utils import logging as transformers_logging

DIFFUSERS = {"low_cpu_mem_usage": False}
"""Of diffusers' from_pretrained: without accelerate, True logs advice to install it."""


def save_module(module: Any, path: Path) -> None:
    """Write a diffusers model to the folder `path`; the same model gives the same bytes."""
    module.save_pretrained(path, safe_serialization=True)
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    config.pop("_name_or_path", None)  # the folder it once came from is nobody's business
    (path / "config.json").write_text(to_json(config), encoding="utf-8")
    make_readable(path)


def load_module(cls: Any, path: Path, **options: Any) -> nn.Module:
    """A model of a library class from its folder; weights float32, on the CPU, in evaluation mode.

    `options` go to the class's from_pretrained.

    Raises:
        ValueError: no such weights, or keys or shapes that do not fit the class; they are named.
    """
    with _quiet():
        try:
            module, info = cls.from_pretrained(
                path,
                torch_dtype=torch.float32,
                use_safetensors=True,
                output_loading_info=True,
                local_files_only=True,
                **options,
            )
        except (OSError, RuntimeError) as error:
            raise ValueError(f"{path}: {error}") from error
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if info[kind]:
            raise ValueError(f"{path}: {kind} {sorted(map(str, info[kind]))}")
    return cast(nn.Module, module.eval())


def make_readable(path: Path) -> None:
    """Give weights the usual permissions: safetensors writes 0600, which would go into a wheel."""
    for weights in path.glob("*.safetensors"):
        weights.chmod(0o644)


def to_json(value: Mapping[str, Any]) -> str:
    """JSON whose text does not depend on the order of keys."""
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no reports on keys: wrong keys are raised, not logged."""
    bars = transformers_logging.is_progress_bar_enabled()
    previous = logging.root.manager.disable
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(previous)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
