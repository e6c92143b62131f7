"""A restorer that a training goes on from."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

from gends.models.restorers.architectures import Restorer, class_of, load
from gends.models.restorers.authors import load_published


def load_start(arch: str, preset: str, path: Path) -> Restorer:
    """A restorer of a size that is named, with weights from elsewhere; float32, on the CPU.

    Args:
        arch: A name in `architectures.ARCHITECTURES`.
        preset: A name in that architecture's presets.
        path: The folder of a trained restorer, or a checkpoint of its authors.

    Raises:
        ValueError: unknown names, no restorer there, or one of another architecture or size.
        ImportError: the architecture needs a package that is not installed; it is named.
    """
    if not path.is_dir():
        return load_published(arch, preset, path)
    cls, arguments = class_of(arch, preset)
    restorer = load(path)
    if type(restorer) is not cls:
        raise ValueError(f"{path} holds a {type(restorer).__name__}, and {arch} is asked for")
    # A network of the size would say the same, and takes seconds to make.
    defaults = {name: known.default for name, known in inspect.signature(cls).parameters.items()}
    wants = json.loads(json.dumps(defaults | arguments))  # as the folder has them
    was = restorer.config
    told = [f"{key} {was[key]} for {wants[key]}" for key in wants if was[key] != wants[key]]
    if told:
        raise ValueError(f"{path} is no {arch} {preset!r}: {', '.join(told)}")
    return restorer
