"""The one training loop: any modules, one device for each rank, exact resume.

A run is a pure function of its inputs. Step k trains on `batches(k)`, or on the k-th batch of a
feed, and draws its random numbers from generators made for step k
(`gends.models.training.randomness`), so a run that was killed goes on from its last checkpoint to
the very weights of an uninterrupted one: bit for bit on CPUs with as many threads and ranks, up to
the device's own nondeterministic kernels on a GPU. Modules must therefore not draw from the global
generator: no `nn.Dropout` with p > 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from PIL import Image as PillowImage
from torch import Tensor, nn
from torch.optim import Optimizer

from gends.models.identity import differences
from gends.models.training.checkpoint import (
    Checkpoint,
    latest_checkpoint,
    read_checkpoint,
    read_state,
    write_checkpoint,
)
from gends.models.training.ema import Ema
from gends.models.training.prefetch import fed, prefetched
from gends.models.training.progress import Meter, StepReport
from gends.models.training.ranks import ALONE, Ranks
from gends.models.training.step_log import StepLog
from gends.models.training.task import Batch, LoopSettings, Task, Trained


class OtherRunError(ValueError):
    """The folder holds a run with other settings."""


def train(
    task: Task,
    settings: LoopSettings,
    *,
    on_progress: Callable[[StepReport], None] | None = None,
    on_step: Callable[[int], None] = lambda step: None,
    should_stop: Callable[[], bool] = lambda: False,
    ranks: Ranks = ALONE,
) -> Trained:
    """Train, or go on from the newest checkpoint in `settings.directory`, until `settings.steps`.

    `should_stop` is asked after every step; when it says so, a checkpoint is written first. All
    ranks call this; only the first one writes and reports. Their number may change in between.
    `on_step` gets the number of every step that is done, after what `on_progress` was told of it.

    Raises:
        OtherRunError: the checkpoint belongs to another run (`identity`).
        ValueError: the checkpoint belongs to other modules or another optimizer; the optimizer
            holds parameters that are not in `task.modules`; or ranks see different checkpoints.
        FloatingPointError: the loss is no longer finite. No checkpoint is written after that.
    """
    run = _Run(task, settings, on_progress, ranks)
    stopped = False
    with run.batches() as batches:
        for batch in batches:
            run.advance(batch)
            stopped = ranks.any(should_stop())
            run.record(last=stopped or run.step == settings.steps)
            on_step(run.step)
            if stopped:
                break
    return Trained(step=run.step, finished=run.step >= settings.steps, averaged=run.ema.modules)


def newest_step(directory: Path, identity: Mapping[str, Any]) -> int:
    """Completed steps of the newest checkpoint in `directory`; 0 where there is none.

    Raises:
        OtherRunError: it belongs to another run.
    """
    newest = latest_checkpoint(directory)
    if newest is None:
        return 0
    step, state = read_state(newest)
    _check_same_run(newest, state, identity)
    return step


def _check_same_run(path: Path, state: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
    if changed := differences(state["identity"], identity):
        raise OtherRunError(
            f"{path} belongs to another run: {changed}; "
            "give the same settings to go on, or another directory to start anew"
        )


class _Run:
    """The mutable state of one run."""

    def __init__(
        self,
        task: Task,
        settings: LoopSettings,
        on_progress: Callable[[StepReport], None] | None,
        ranks: Ranks,
    ) -> None:
        self.task, self.settings, self.on_progress = task, settings, on_progress
        self.ranks = ranks
        self.parameters = _trained_parameters(task)
        self.device = self.parameters[0].device
        self.base_rates = [group["lr"] for group in task.optimizer.param_groups]
        self.ema = Ema(task.modules, settings.ema_decay)
        self.step = 0
        settings.directory.mkdir(parents=True, exist_ok=True)
        newest = latest_checkpoint(settings.directory)
        if newest is not None:
            self._restore(newest)
        ranks.check_same("the newest checkpoint's step", self.step)
        if ranks.first:
            self.log = StepLog(settings.directory / "metrics.jsonl", self.step)
        self.meter = Meter()
        for module in task.modules.values():
            module.train()

    def batches(self) -> AbstractContextManager[Iterator[Batch]]:
        """What the steps that are left train on."""
        source, steps = self.task.batches, range(self.step, self.settings.steps)
        if callable(source):
            return prefetched(source, steps, self.device, self.settings.prefetch)
        return fed(source, steps, self.device)

    def advance(self, batch: Batch) -> None:
        """One optimizer step."""
        factor = self.settings.schedule.factor(self.step, self.settings.steps)
        optimizer = self.task.optimizer
        for group, rate in zip(optimizer.param_groups, self.base_rates, strict=True):
            group["lr"] = rate * factor
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.bf16):
            loss, metrics = self.task.loss(self.step, batch)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        norm = nn.utils.clip_grad_norm_(self.parameters, self.settings.clip_norm)
        optimizer.step()
        self.step += 1
        self.ema.update(self.task.modules, self.step)
        images = len(next(iter(batch.values())))
        self.meter.add(loss, {**metrics, "gradient_norm": norm}, images)

    def record(self, *, last: bool) -> None:
        """Report, checkpoint, draw a picture and validate where this step asks for it."""
        settings, step = self.settings, self.step
        checkpoint = last or step % settings.checkpoint_every == 0
        if checkpoint or step % settings.report_every == 0:
            self._report()  # before the checkpoint: weights after a lost loss are never written
        if checkpoint and self.ranks.first:
            self._write()
        if self._due(settings.sample_every) and self.ranks.first:
            self._sample()
        if self._due(settings.validate_every) and self.task.validate is not None:
            with torch.inference_mode():
                self.task.validate(step, self.ema.modules)

    def _due(self, every: int) -> bool:
        """Whether something is done now that is done `every` so many steps (0: never), and last."""
        return bool(every) and (self.step == self.settings.steps or self.step % every == 0)

    def _report(self) -> None:
        rate = self.task.optimizer.param_groups[0]["lr"]
        progress = self.meter.report(self.step, self.settings.steps, rate, self.ranks)
        if not self.ranks.first:
            return
        self.log.write(asdict(progress))
        if self.on_progress is not None:
            self.on_progress(progress)

    def _sample(self) -> None:
        if self.task.sample is None:
            return
        folder = self.settings.directory / "samples"
        folder.mkdir(exist_ok=True)
        with torch.inference_mode():
            picture = self.task.sample(self.step, self.ema.modules)
        PillowImage.fromarray(picture).save(folder / f"step-{self.step:09d}.png")

    def _write(self) -> None:
        states = self.task.optimizer.state
        optimizer = {
            f"{index}.{name}": torch.as_tensor(value)
            for index, parameter in enumerate(self.parameters)
            for name, value in states.get(parameter, {}).items()
        }
        tensors = {
            "model": nn.ModuleDict(self.task.modules).state_dict(),
            "ema": nn.ModuleDict(self.ema.modules).state_dict(),
            "optimizer": optimizer,
        }
        state: dict[str, Any] = {"identity": dict(self.settings.identity)}
        if not callable(self.task.batches):
            state["feed"] = dict(self.task.batches.state_dict())
        checkpoint = Checkpoint(step=self.step, tensors=tensors, state=state)
        write_checkpoint(self.settings.directory, checkpoint, keep=self.settings.keep)

    def _restore(self, path: Path) -> None:
        checkpoint = read_checkpoint(path)
        _check_same_run(path, checkpoint.state, self.settings.identity)
        _load(self.task.modules, checkpoint.tensors["model"], path)
        _load(self.ema.modules, checkpoint.tensors["ema"], path)
        _load_optimizer(self.task.optimizer, self.parameters, checkpoint.tensors["optimizer"])
        if not callable(self.task.batches):
            self.task.batches.load_state_dict(checkpoint.state["feed"])
        self.step = checkpoint.step


def _trained_parameters(task: Task) -> list[nn.Parameter]:
    """The optimizer's parameters in its order, all of them known to be checkpointed."""
    parameters = [p for group in task.optimizer.param_groups for p in group["params"]]
    known = {id(p) for module in task.modules.values() for p in module.parameters()}
    foreign = sum(id(p) not in known for p in parameters)
    if foreign:
        raise ValueError(
            f"the optimizer holds {foreign} parameters outside of the modules "
            f"{sorted(task.modules)}: they would be lost on resume; add their module"
        )
    return parameters


def _load(modules: Mapping[str, nn.Module], tensors: Mapping[str, Tensor], path: Path) -> None:
    try:
        nn.ModuleDict(modules).load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"{path} was written for other modules: {error}") from error


def _load_optimizer(
    optimizer: Optimizer, parameters: list[nn.Parameter], tensors: Mapping[str, Tensor]
) -> None:
    """Put the per-parameter state back; hyper-parameters are the caller's."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        parameter = parameters[int(index)]
        if value.shape == parameter.shape:  # keep the parameter's memory layout
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)  # noqa: PLW2901
        state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
