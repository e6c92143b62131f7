"""All restorers by name: made, saved and loaded.

A restorer is a module that takes degraded images (N, 3, H, W), RGB float in [0, 1] and of any
size, and gives restored ones of the same shape, not clamped.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias, cast

from gends.models.files.module_folder import DIFFUSERS, load_module, save_module
from gends.models.restorers import nafnet, promptir, swin
from gends.models.restorers.nafnet import NAFNet
from gends.models.restorers.promptir import PromptIR
from gends.models.restorers.swin import SwinRestorer
from gends.models.seeding import seeded

Restorer: TypeAlias = NAFNet | PromptIR | SwinRestorer

ARCHITECTURES: dict[str, tuple[Any, dict[str, dict[str, Any]]]] = {
    "nafnet": (NAFNet, nafnet.PRESETS),
    "promptir": (PromptIR, promptir.PRESETS),
    "swin": (SwinRestorer, swin.PRESETS),
}
"""Name → class and its presets. Nothing else is ever made for a restorer's sake."""


def class_of(arch: str, preset: str) -> tuple[Any, dict[str, Any]]:
    """The class of a restorer, and its arguments of a size. Raises ValueError for unknown names."""
    if arch not in ARCHITECTURES:
        raise ValueError(f"no restorer {arch!r}; choose from {list(ARCHITECTURES)}")
    cls, presets = ARCHITECTURES[arch]
    if preset not in presets:
        raise ValueError(f"{arch} has no preset {preset!r}; choose from {list(presets)}")
    return cls, presets[preset]


def create(arch: str, preset: str, seed: int, *, pretrained: bool = False) -> Restorer:
    """A restorer of one of its published sizes, or the tiny one, with weights drawn from `seed`.

    Args:
        arch: A name in `ARCHITECTURES`.
        preset: A name in that architecture's presets.
        seed: Of the weights. The global generator is left as it was.
        pretrained: Give the encoder ImageNet weights, which are downloaded (swin only).

    Raises:
        ValueError: an unknown name, or there are no such pretrained weights.
        RuntimeError: pretrained weights cannot be reached.
        ImportError: the architecture needs a package that is not installed; it is named.
    """
    cls, arguments = class_of(arch, preset)
    if pretrained and not hasattr(cls, "load_imagenet"):
        raise ValueError(f"{arch} has no pretrained encoder: leave pretrained out")
    with seeded(seed):
        restorer = cls(**arguments)
    if pretrained:
        restorer.load_imagenet()
    return cast(Restorer, restorer)


def save(restorer: Restorer, folder: Path) -> None:
    """Write config.json and safetensors weights to `folder`, in place of those that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    save_module(restorer, folder)


def load(folder: Path) -> Restorer:
    """What `save` wrote; weights float32, on the CPU, in evaluation mode.

    Raises:
        ValueError: no such folder, an unknown class, or weights that do not fit it.
        ImportError: the architecture needs a package that is not installed; it is named.
    """
    path = folder / "config.json"
    try:
        name = json.loads(path.read_text(encoding="utf-8"))["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder} holds no restorer: {path}: {error!r}") from error
    classes = {cls.__name__: cls for cls, _ in ARCHITECTURES.values()}
    if name not in classes:
        raise ValueError(f"{path}: class {name!r} is no restorer; known are {', '.join(classes)}")
    return cast(Restorer, load_module(classes[name], folder, **DIFFUSERS))
