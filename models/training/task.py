"""What a training run is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from gends.models.degrader import Image
from gends.models.training.schedule import Schedule

Batch = dict[str, Tensor]
"""Named tensors whose first dimension is the batch."""
Loss = tuple[Tensor, Mapping[str, Tensor | float]]
"""The scalar to minimise, and figures to report beside it."""


class Feed(Protocol):
    """Batches whose place in the data is a state, as a loader's is; stored in checkpoints."""

    def batches(self, steps: range) -> AbstractContextManager[Iterator[Batch]]:
        """One batch on the CPU for each of these steps, the first where the state is."""

    def state_dict(self) -> Mapping[str, Any]:
        """JSON values: the place after the batch that was delivered last, the same on all ranks."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to a place, with whatever number of ranks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is trained, on what, towards what."""

    modules: Mapping[str, nn.Module]
    """The trained modules by name, all on one device; frozen ones stay inside `loss`."""
    optimizer: Optimizer
    """Over parameters of `modules`; the groups' learning rates are the base rates."""
    loss: Callable[[int, Batch], Loss]
    """(step, batch on the device) → loss. A pure function of both and of the weights."""
    batches: Callable[[int], Batch] | Feed
    """Step → batch on the CPU: a pure function of the step, called from several threads at once.
    Or a feed, which several ranks need: each gives this rank's share of every batch."""
    sample: Callable[[int, Mapping[str, nn.Module]], Image] | None = None
    """(completed steps, averaged modules) → a picture to look at."""
    validate: Callable[[int, Mapping[str, nn.Module]], None] | None = None
    """(completed steps, averaged modules): judge them. Called on all ranks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """How long, how fast, and what is written when."""

    directory: Path
    """Receives step-*/ (checkpoints), samples/*.png and metrics.jsonl; the same for all ranks."""
    steps: int
    schedule: Schedule = field(default_factory=Schedule)
    ema_decay: float = 0.999
    clip_norm: float = 1.0
    """Bound of the global gradient norm; infinity bounds nothing."""
    bf16: bool = False
    """Compute the loss under bfloat16 autocast; weights stay as they are."""
    report_every: int = 50
    checkpoint_every: int = 1000
    keep: int = 2
    """Checkpoints kept."""
    sample_every: int = 0
    """0: no pictures."""
    validate_every: int = 0
    """0: never."""
    prefetch: int = 2
    """Batches prepared ahead, each on a thread of its own; 0: none. A feed sees to that itself."""
    identity: Mapping[str, Any] = field(default_factory=dict)
    """JSON values that decide the result (seed, data, model). Going on under others is refused."""

    def __post_init__(self) -> None:
        """Refuse counts that make no sense."""
        for name in ("steps", "report_every", "checkpoint_every", "keep"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give 1 or more")
        for name in ("sample_every", "validate_every", "prefetch"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """Where a run stands when `train` returns."""

    step: int
    finished: bool
    """False when `should_stop` ended the run early; calling `train` again goes on."""
    averaged: Mapping[str, nn.Module]
    """The EMA of every module, in evaluation mode: what is to be saved and used."""
