"""What a training run tells while it goes on: one record every few steps."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One line of a training run. Loss and metrics are means over the steps since the last one."""

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
    """Collects losses on their device and turns them into `Progress`, waiting for it only then."""

    def __init__(self) -> None:
        """Start an empty window."""
        self._clear()

    def add(self, loss: Tensor, metrics: Mapping[str, Tensor | float], images: int) -> None:
        """Take in one step."""
        self._images += images
        for name, value in {**metrics, "loss": loss}.items():
            self._values.setdefault(name, []).append(torch.as_tensor(value).detach())

    def report(self, step: int, steps: int, learning_rate: float) -> Progress:
        """Close the window. Raises FloatingPointError when a loss or metric is not finite."""
        means = {
            name: float(torch.stack([value.double() for value in values]).mean())
            for name, values in self._values.items()
        }
        elapsed = max(time.monotonic() - self._since, 1e-9)
        done = len(self._values["loss"])
        progress = Progress(
            step=step,
            steps=steps,
            loss=means.pop("loss"),
            metrics=means,
            learning_rate=learning_rate,
            images_per_second=self._images / elapsed,
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


class MetricsLog:
    """A JSON-lines file of `Progress`, cut back to the checkpoint that a run resumes from."""

    def __init__(self, path: Path, step: int) -> None:
        """Keep the lines of `path` up to `step`; later ones belong to steps that run again."""
        self._path = path
        if path.exists():
            kept = [line for line in path.read_text("utf-8").splitlines() if _within(line, step)]
            partial = path.with_name(f".partial-{path.name}")
            partial.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
            partial.replace(path)

    def write(self, progress: Progress) -> None:
        """Append one line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(progress)) + "\n")


def _within(line: str, step: int) -> bool:
    try:
        return bool(json.loads(line)["step"] <= step)
    except (json.JSONDecodeError, KeyError, TypeError):
        return False  # the torn last line of a killed run
