"""Opens metrics by name, and says which of them cannot be had here and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from gends._version import __version__
from gends.models.metrics.inception import InceptionFeatures
from gends.models.metrics.lpips_alex import open_lpips
from gends.models.metrics.metric import Metric, MissingMetricError
from gends.models.metrics.psnr import psnr
from gends.models.metrics.pyiqa_metrics import open_pyiqa
from gends.models.metrics.ssim import ssim

_OWN = {"psnr": psnr, "ssim": ssim}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The metrics that were asked for, as far as they can be had."""

    single: tuple[Metric, ...]
    features: InceptionFeatures | None
    """For the FID."""
    missing: dict[str, str]
    """Name → why it is not there. Nothing stands in for it."""

    @property
    def origins(self) -> dict[str, str]:
        """Name → which implementation computes it."""
        found = {metric.name: metric.origin for metric in self.single}
        return found | ({"fid": self.features.origin} if self.features else {})


def open_metrics(
    names: Sequence[str],
    *,
    lpips_weights: Path | None = None,
    device: torch.device | str = "cpu",
) -> Metrics:
    """Open metrics by name: those of `DEFAULT`, and any that pyiqa has for single pictures.

    Raises:
        ValueError: a name that nobody knows, or `lpips_weights` holds something else.
    """
    single: list[Metric] = []
    features: InceptionFeatures | None = None
    missing: dict[str, str] = {}
    for name in dict.fromkeys(names):
        try:
            if name == "fid":
                features = InceptionFeatures(device)
            else:
                single.append(_open(name, lpips_weights, device))
        except MissingMetricError as error:
            missing[name] = str(error)
    return Metrics(single=tuple(single), features=features, missing=missing)


def _open(name: str, lpips_weights: Path | None, device: torch.device | str) -> Metric:
    if name in _OWN:
        origin = f"gends {__version__}"
        return Metric(name=name, lower_is_better=False, score=_OWN[name], origin=origin)
    return open_lpips(lpips_weights, device) if name == "lpips" else open_pyiqa(name, device)
