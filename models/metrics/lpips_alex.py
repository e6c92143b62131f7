"""LPIPS with AlexNet, version 0.1 (Zhang et al., CVPR 2018), by its authors' package `lpips`.

The package holds the linear layers on top; AlexNet's own weights come from torchvision's hub, or
from a file where that is out of reach.
"""

from __future__ import annotations

import warnings
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from gends.models.metrics.metric import Metric, MissingMetricError

LAYERS = {
    "features.0": ("slice1.0", (64, 3, 11, 11)),
    "features.3": ("slice2.3", (192, 64, 5, 5)),
    "features.6": ("slice3.6", (384, 192, 3, 3)),
    "features.8": ("slice4.8", (256, 384, 3, 3)),
    "features.10": ("slice5.10", (256, 256, 3, 3)),
}
"""AlexNet's convolutions as torchvision calls them: where `lpips` keeps each, and its shape."""


def open_lpips(weights: Path | None = None, device: torch.device | str = "cpu") -> Metric:
    """The metric, on a device.

    Args:
        weights: safetensors file of AlexNet's convolutions (features.0.weight, features.0.bias, …
            of torchvision's IMAGENET1K_V1); None takes them from torchvision's hub or its cache.
        device: where it computes.

    Raises:
        MissingMetricError: the package is not installed, or the hub out of reach.
        ValueError: the file is not there, or holds something else.
    """
    try:
        import lpips  # noqa: PLC0415  optional
    except ImportError as error:
        raise MissingMetricError("needs the package lpips: pip install 'gends[lpips]'") from error
    state = None if weights is None else read_convolutions(weights)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls torchvision in a way that is deprecated
        try:
            network = lpips.LPIPS(net="alex", pnet_rand=state is not None, verbose=False)
        except OSError as error:
            raise MissingMetricError(
                f"AlexNet's weights are out of reach ({error}); give them: --lpips-weights FILE"
            ) from error
    if state is not None:
        network.net.load_state_dict(state, strict=True)
    network = network.to(device).eval()

    @torch.inference_mode()
    def score(picture: Tensor, clean: Tensor) -> float:
        return float(network(picture, clean, normalize=True))

    return Metric(
        name="lpips",
        lower_is_better=True,
        score=score,
        origin=f"lpips {version('lpips')}, AlexNet, v0.1",
    )


def read_convolutions(file: Path) -> dict[str, Tensor]:
    """AlexNet's convolutions under the names of `lpips`; other layers are not looked at.

    Raises:
        ValueError: the file is not there, or one of them is missing or of another shape.
    """
    try:
        stored = load_file(file)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{file}: no readable safetensors file ({error})") from error
    state = {}
    for layer, (place, shape) in LAYERS.items():
        for part, wanted in (("weight", shape), ("bias", shape[:1])):
            tensor = stored.get(f"{layer}.{part}")
            if tensor is None or tensor.shape != wanted:
                found = "missing" if tensor is None else f"of shape {tuple(tensor.shape)}"
                raise ValueError(
                    f"{file}: {layer}.{part} is {found}, must be {wanted}; give the convolutions "
                    "of torchvision's AlexNet"
                )
            state[f"{place}.{part}"] = tensor
    return state
