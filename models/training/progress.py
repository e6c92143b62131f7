"""What a training run tells while it goes on: one record every few steps."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gends.models.training.ranks import ALONE, Ranks


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """One line of a training run.

    Loss and metrics are means over the steps since the last one, and over all ranks.
    """

    step: int
    """Completed steps."""
    steps: int
    loss: float
    metrics: Mapping[str, float]
    learning_rate: float
    """Of the optimizer's first group."""
    images_per_second: float
    seconds_left: float


class Meter:
    """Collects losses on their device; waits for it only to make a `StepReport`."""

    def __init__(self) -> None:
        """Start an empty window."""
        self._clear()

    def add(self, loss: Tensor, metrics: Mapping[str, Tensor | float], images: int) -> None:
        """Take in one step."""
        self._images += images
        for name, value in {**metrics, "loss": loss}.items():
            self._values.setdefault(name, []).append(torch.as_tensor(value).detach())

    def report(
        self, step: int, steps: int, learning_rate: float, ranks: Ranks = ALONE
    ) -> StepReport:
        """Close the window, on all ranks at once.

        Raises:
            FloatingPointError: a loss or metric is not finite, on whichever rank.
        """
        means = _means(self._values, ranks)
        elapsed = max(time.monotonic() - self._since, 1e-9)
        done = len(self._values["loss"])
        progress = StepReport(
            step=step,
            steps=steps,
            loss=means.pop("loss"),
            metrics=means,
            learning_rate=learning_rate,
            images_per_second=self._images * ranks.count / elapsed,
            seconds_left=(steps - step) * elapsed / done,
        )
        for name, value in {"loss": progress.loss, **means}.items():
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"{name} is {value} within the {done} steps before step {step}: "
                    "lower the learning rate; the last checkpoint is untouched"
                )
        self._clear()
        return progress

    def _clear(self) -> None:
        self._values: dict[str, list[Tensor]] = {}
        self._images = 0
        self._since = time.monotonic()


def _means(values: Mapping[str, list[Tensor]], ranks: Ranks) -> dict[str, float]:
    means = torch.stack(
        [torch.stack([v.double() for v in few]).mean().cpu() for few in values.values()]
    )
    return dict(zip(values, (ranks.total(means) / ranks.count).tolist(), strict=True))
