"""Depth Anything as an estimator of depth, through transformers.

Torch and transformers are loaded when the first photograph comes: builds by formula alone load
neither.
"""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from gends.models.degrader import Image
from gends.models.files.digest import digest_folder
from gends.models.files.json_object import read_object
from gends.models.pixels import Plane, to_float

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 518
"""Shorter side, in pixels, of what the network sees: the size of its training."""
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, as its backbone was trained."""
ENDS = (2, 98)
"""Percentiles of the output that become 0 and 1: single pixels decide nothing."""
NEARNESS = np.float32(0.2)
"""Distance of the nearest point as a fraction of the span between it and the farthest, which the
network leaves open; that of the ground plane of procedural depth."""
FILES = ["config.json", "*.safetensors"]
_HUB_ID = re.compile(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40})")


class DepthModel:
    """A Depth Anything model: a folder, or a repository of the hub with its commit.

    Photographs are estimated one at a time in single precision and on one thread, so that depth
    does not depend on what is estimated beside. On a GPU the last digits differ from a CPU's.

    Args:
        source: A folder with config.json and safetensors, or `owner/name@commit`, the commit as 40
            hexadecimal digits.
        device: Where it runs.
        cache: Download cache; the hub library's own by default.

    Raises:
        ValueError: neither a folder nor a hub id with a commit, or no Depth Anything in the folder.
    """

    def __init__(self, source: str | Path, device: str = "cpu", cache: Path | None = None) -> None:
        self._folder = Path(source) if Path(source).is_dir() else None
        self._source, self._device, self._cache = str(source), device, cache
        if self._folder is not None:
            _check(self._folder)
        elif not _HUB_ID.fullmatch(self._source):
            raise ValueError(
                f"no folder {self._source!r} here, and no hub model with its commit: give a "
                "folder, or owner/name@ and the full commit hash (40 hexadecimal digits)"
            )

    @cached_property
    def name(self) -> str:
        """`owner/name@commit`, or the digest of the folder's files."""
        return self._source if self._folder is None else f"blake3:{digest_folder(self._folder)}"

    def fingerprint(self) -> dict[str, str]:
        """Versions of the libraries that compute it, and the kind of device."""
        import torch  # noqa: PLC0415
        import transformers  # noqa: PLC0415

        return {
            "depth.device": self._device.partition(":")[0],
            "depth.torch": torch.__version__,
            "depth.transformers": transformers.__version__,
        }

    def __call__(self, image: Image) -> Plane:
        """Relative depth of a photograph; see `DepthEstimator`."""
        import torch  # noqa: PLC0415

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.inference_mode():
                output = self._network(pixel_values=self._tensor(image)).predicted_depth
        finally:
            torch.set_num_threads(threads)
        values: Plane = output[0].float().cpu().numpy()
        large = cv2.resize(values, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        stretched = _stretch(np.asarray(large, np.float32))
        return stretched if self._is_metric else depth_of_disparity(stretched)

    def _tensor(self, image: Image) -> Tensor:
        """(1, 3, H, W): the shorter side `SIDE`, both sides multiples of the network's patch."""
        import torch  # noqa: PLC0415

        patch = int(self._network.config.patch_size)
        scale = SIDE / min(image.shape[:2])
        height, width = (max(1, round(n * scale / patch)) * patch for n in image.shape[:2])
        shrinks = width * height < image.shape[0] * image.shape[1]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        seen = cv2.resize(to_float(image), (width, height), interpolation=how)
        normal = (seen - np.array(MEAN, np.float32)) / np.array(SPREAD, np.float32)
        return torch.from_numpy(normal.transpose(2, 0, 1)[None].copy()).to(self._device)

    @property
    def _is_metric(self) -> bool:
        return bool(self._network.config.depth_estimation_type == "metric")

    @cached_property
    def _network(self) -> Any:
        from transformers import AutoConfig, AutoModelForDepthEstimation  # noqa: PLC0415

        from gends.models.files.module_folder import load_module  # noqa: PLC0415

        folder = self._folder or self._download()
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        network = AutoModelForDepthEstimation._model_mapping[type(config)]
        return load_module(network, folder).to(self._device)

    def _download(self) -> Path:
        from huggingface_hub import snapshot_download  # noqa: PLC0415

        name, _, revision = self._source.partition("@")
        folder = Path(
            snapshot_download(name, revision=revision, allow_patterns=FILES, cache_dir=self._cache)
        )
        _check(folder)
        return folder


def depth_of_disparity(disparity: Plane) -> Plane:
    """Relative depth of relative disparity, both in [0, 1]: 1/(disparity + nearness), stretched."""
    nearest = NEARNESS / (1 + NEARNESS)
    depth = (NEARNESS / (disparity + NEARNESS) - nearest) / (1 - nearest)
    return np.asarray(np.clip(depth, 0, 1), np.float32)


def _stretch(values: Plane) -> Plane:
    low, high = np.percentile(values, ENDS)
    span = np.float32(max(float(high - low), 1e-6))
    return np.asarray(np.clip((values - np.float32(low)) / span, 0, 1), np.float32)


def _check(folder: Path) -> None:
    kind = read_object(folder / "config.json").get("model_type")
    if kind != "depth_anything":
        raise ValueError(
            f"{folder} holds a model of type {kind!r}; depth is estimated by 'depth_anything'"
        )
