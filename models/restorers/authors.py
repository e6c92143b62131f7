"""Checkpoints as the authors of a restorer published them.

NAFNet's hold the weights under "params" (BasicSR), PromptIR's under "state_dict" with the prefix
"net." (Lightning). Both are read without running anything that the file brings along; weights
converted to safetensors are read too, with or without the prefixes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from gends.models.restorers import promptir
from gends.models.restorers.architectures import Restorer, create

WRAPPERS = ("params", "state_dict")
"""Where in a checkpoint the weights are, when not at its top."""
PREFIXES = ("module.", "net.")
"""What wrappers of a network put before its keys: distributed training, a Lightning module."""
UNUSED: dict[str, frozenset[str]] = {"nafnet": frozenset(), "promptir": promptir.UNUSED}
"""Architecture with published weights → keys in them that its authors' network never uses."""


def load_published(arch: str, preset: str, path: Path) -> Restorer:
    """A restorer with an authors' weights, float32 on the CPU and in evaluation mode.

    Every key must be there and nothing else, but for the `UNUSED`, which are dropped.

    Args:
        arch: "nafnet" or "promptir".
        preset: The size the checkpoint was trained in; the file does not name it.
        path: Its .pth, .ckpt or .safetensors file.

    Raises:
        ValueError: unknown names, no such file, a file that holds no weights or more than plain
            tensors, weights of another network, or ones that are no finite numbers; the keys are
            named.
    """
    if arch not in UNUSED:
        raise ValueError(f"no weights of {arch!r} were published; known are {list(UNUSED)}")
    restorer = create(arch, preset, seed=0)
    tensors = _weights(_read(path), path)
    for key in UNUSED[arch]:
        tensors.pop(key, None)
    wanted = restorer.state_dict()
    shapes = [
        f"{key} {tuple(tensors[key].shape)} for {tuple(wanted[key].shape)}"
        for key in wanted.keys() & tensors.keys()
        if tensors[key].shape != wanted[key].shape
    ]
    unusable = [
        key
        for key, values in tensors.items()
        if not (_is_plain(values) and values.isfinite().all())
    ]
    faults = {
        "missing": wanted.keys() - tensors.keys(),
        "unexpected": tensors.keys() - wanted.keys(),
        "of another shape": shapes,
        "no finite floating-point numbers": unusable,
    }
    if any(faults.values()):
        told = "; ".join(f"{kind}: {_listed(keys)}" for kind, keys in faults.items() if keys)
        raise ValueError(f"{path} does not fit {arch} {preset!r}: {told}")
    restorer.load_state_dict(tensors)
    return restorer.eval()


def _read(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    # torch gives what it does not read several types, one of them from the module of pickles
    except Exception as error:
        raise ValueError(
            f"{path} is no checkpoint of plain tensors: {error}\n"
            "If you trust its source, convert its weights to safetensors and give that file"
        ) from error


def _weights(contents: Any, path: Path) -> dict[str, Tensor]:
    """The named tensors of a checkpoint, without the prefixes of wrappers."""
    if isinstance(contents, Mapping):
        inside = next((contents[name] for name in WRAPPERS if name in contents), contents)
        if isinstance(inside, Mapping) and inside and all(map(torch.is_tensor, inside.values())):
            return {_bare(str(key)): value for key, value in inside.items()}
    raise ValueError(
        f"{path} holds no named tensors, neither at the top nor under {' or '.join(WRAPPERS)}"
    )


def _is_plain(values: Tensor) -> bool:
    return values.is_floating_point() and values.layout == torch.strided and not values.is_meta


def _bare(key: str) -> str:
    for prefix in PREFIXES:
        key = key.removeprefix(prefix)
    return key


def _listed(keys: Iterable[str], most: int = 8) -> str:
    names = sorted(keys)
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
