"""One network as a folder: config.json and safetensors, read back strictly."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any, cast

import diffusers
import torch
import transformers
from diffusers.configuration_utils import ConfigMixin
from torch import nn
from transformers.utils import logging as transformers_logging

from gends.models.files.erase import erase
from gends.models.files.json_object import read_object

DIFFUSERS = {"low_cpu_mem_usage": False}
"""Of diffusers' from_pretrained: without accelerate, True logs advice to install it."""
MOST_TOLD = 600
"""Characters of what is wrong with a network: one of another size has hundreds of wrong keys."""


def save_module(module: Any, path: Path) -> None:
    """Write a diffusers model to the folder `path`; the same model gives the same bytes."""
    for old in (path / "config.json", *path.glob("*.safetensors")):
        erase(old)
    module.save_pretrained(path, safe_serialization=True)
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    config.pop("_name_or_path", None)  # the folder it once came from is nobody's business
    (path / "config.json").write_text(to_json(config), encoding="utf-8")
    make_readable(path)


def load_module(cls: Any, path: Path, **options: Any) -> nn.Module:
    """A model of a library class from its folder; weights float32, on the CPU, in evaluation mode.

    `options` go to the class's from_pretrained.

    Raises:
        ValueError: no such weights, damaged ones, or keys or shapes that do not fit the class;
            they are named.
    """
    _check_keys(cls, path / "config.json")
    if not any(path.glob("*.safetensors")):
        raise ValueError(f"{path}: no weights; they are read from *.safetensors alone")
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
        except Exception as error:  # of a configuration that makes no sense anything is raised
            reason = shorten(f"{type(error).__name__}: {error}", MOST_TOLD)
            raise ValueError(
                f"{path}: {reason}; is a file damaged? copy the folder anew"
            ) from error
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if info[kind]:
            keys = shorten(", ".join(sorted(map(str, info[kind]))), MOST_TOLD)
            raise ValueError(f"{path}: {kind}, {len(info[kind])}: {keys}")
    for name, tensor in module.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{path}: {name} holds values that are no finite numbers")
    return cast(nn.Module, module.eval())


def _check_keys(cls: Any, path: Path) -> None:
    """Refuse a configuration that the module would not be true to.

    A library leaves aside keys that it does not know, and puts defaults in place of missing ones.
    Which keys must be there is certain of our own classes, and of files that the version installed
    wrote; what others lack may be younger than they are.
    """
    config = read_object(path)
    complete = cls.__module__.startswith("gends.")
    if issubclass(cls, ConfigMixin):
        keys = set(inspect.signature(cls).parameters)
        complete |= config.get("_diffusers_version") == diffusers.__version__
        if foreign := [key for key in config if key not in keys and not key.startswith("_")]:
            names = ", ".join(foreign)
            raise ValueError(f"{path}: {names}: unknown to {cls.__name__}; delete them")
    else:
        keys = set(cls.config_class().to_diff_dict())
        complete |= config.get("transformers_version") == transformers.__version__
    if complete and (lost := sorted(keys - config.keys())):
        raise ValueError(f"{path}: {', '.join(lost)} missing; copy the file anew")


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
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(previous)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
