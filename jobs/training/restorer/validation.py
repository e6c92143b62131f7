"""PSNR of a restorer in training, for each degradation, on pairs that it is not trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from gends.models.metrics.psnr import psnr_each
from gends.models.training.ranks import Ranks
from gends.reading.dataset import PairDataset

Figures = dict[str, Any]
"""`step`; under `pairs`, `psnr_lq` (of the degraded picture itself) and `psnr`, in dB, one number
for `all` pairs and one for each degradation."""


class Validator:
    """The `validate` of a task: every rank restores a share of the pairs, whole pictures."""

    def __init__(
        self,
        pairs: PairDataset,
        most: int,
        ranks: Ranks,
        device: torch.device,
        on_figures: Callable[[Figures], None],
    ) -> None:
        """Choose `most` of the pairs at most; `on_figures` is called on the first rank.

        `pairs` give `lq` and `gt` as float32 (3, H, W) in [0, 1].
        """
        self._pairs, self._ranks, self._device = pairs, ranks, device
        self._on_figures = on_figures
        degradations = np.array(pairs.rows["degradation"].to_pylist())
        self.chosen = spread(degradations, most)
        self._names = sorted(set(degradations[self.chosen].tolist()))

    def __call__(self, step: int, modules: Mapping[str, nn.Module]) -> None:
        """Restore, compare and tell the figures; under inference mode, in float32."""
        (restorer,) = modules.values()
        sums = torch.zeros(len(self._names), 3, dtype=torch.float64)
        for index in self.chosen[self._ranks.rank :: self._ranks.count].tolist():
            item = self._pairs[index]
            sums[self._names.index(item["degradation"])] += self._compare(restorer, item)
        sums = self._ranks.total(sums)
        if self._ranks.first:
            self._on_figures({"step": step, **_figures(self._names, sums)})

    def _compare(self, restorer: nn.Module, item: Mapping[str, Any]) -> Tensor:
        """1 and the PSNR of lq and restored, (3,)."""
        lq, gt = (item[part][None].to(self._device) for part in ("lq", "gt"))
        both = torch.cat([psnr_each(lq, gt), psnr_each(restorer(lq), gt)]).cpu()
        return torch.cat([torch.ones(1), both]).double()


def spread(labels: npt.NDArray[np.str_], most: int) -> npt.NDArray[np.int64]:
    """Indices of `most` rows at most, of each label in proportion to its number of rows."""
    by_label = np.argsort(labels, kind="stable")
    count = min(most, len(labels))
    return np.sort(by_label[np.arange(count) * len(labels) // count])


def _figures(names: list[str], sums: Tensor) -> Figures:
    rows = {"all": sums.sum(0), **dict(zip(names, sums, strict=True))}
    count = {name: int(row[0]) for name, row in rows.items()}
    return {
        "pairs": count,
        "psnr_lq": {name: float(row[1]) / count[name] for name, row in rows.items()},
        "psnr": {name: float(row[2]) / count[name] for name, row in rows.items()},
    }
