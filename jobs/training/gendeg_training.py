"""What the trainings of a GenDeg model share: flags, loop and the models they begin with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import click
import torch
from torch import nn

from gends.jobs.training.inputs import device_of
from gends.jobs.training.report import StepTeller, print_step, reporter, stopped
from gends.models.autoencoder import PatchAutoencoder
from gends.models.degradations import DEGRADATIONS
from gends.models.files.json_object import read_object
from gends.models.files.module_folder import DIFFUSERS, load_module
from gends.models.gendeg.model import GenDeg
from gends.models.training.interruption import stop_on_signals
from gends.models.training.loop import OtherRunError, train
from gends.models.training.progress import StepReport
from gends.models.training.schedule import Schedule
from gends.models.training.task import LoopSettings, Task, Trained
from gends.reading.dataset import PairDataset

NAMES = tuple(DEGRADATIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What decides the batches and the optimizer of every training."""

    batch_size: int
    crop: int
    """Side of the training crops, in pixels."""
    rate: float
    seed: int


class Run:
    """One training: its folder, device and options."""

    def __init__(self, flags: Mapping[str, Any]) -> None:
        """Take the flags of the command, by name.

        Raises:
            click.BadParameter: there is no such device.
        """
        self.folder: Path = flags["run_folder"]
        self.result: Path = self.folder / "result"
        self.device = device_of(flags["device"])
        self.flags = flags
        self.options = Options(
            batch_size=flags["batch_size"],
            crop=flags["crop"],
            rate=flags["rate"],
            seed=flags["seed"],
        )
        if flags["threads"]:
            torch.set_num_threads(flags["threads"])

    def open(self, data: Path) -> PairDataset:
        """The pairs to train on.

        Raises:
            ValueError: there are none, or the crops are larger than they are.
        """
        pairs = PairDataset(data)
        if not len(pairs):
            raise ValueError(f"{data}: no accepted pairs to train on")
        height, width, _ = pairs[0]["gt"].shape
        if self.options.crop > min(height, width):
            raise ValueError(
                f"--crop {self.options.crop} is larger than the pairs ({width}x{height})"
            )
        return pairs

    def train(self, task: Task, inputs: Mapping[str, Any]) -> dict[str, nn.Module]:
        """Run the loop to its end; stop with exit code 75 on SIGTERM and 130 on Ctrl-C, resumable.

        `inputs` (JSON values) names data and models: no run is gone on with on others.
        """
        flags = self.flags
        settings = LoopSettings(
            directory=self.folder,
            steps=flags["steps"],
            schedule=Schedule(warmup=min(200, flags["steps"] // 10), final=0.02),
            ema_decay=flags["ema"],
            bf16=flags["bf16"],
            checkpoint_every=flags["checkpoint_every"],
            sample_every=flags["sample_every"],
            identity={
                **inputs,
                **asdict(self.options),
                "steps": flags["steps"],
                "bf16": flags["bf16"],
                "ema": flags["ema"],
            },
        )
        report = reporter(self.folder if flags["tensorboard"] else None)
        teller = StepTeller(lambda step: print_step(step, flags["steps"]))

        def on_progress(progress: StepReport) -> None:
            report(progress)
            teller.told()

        with stop_on_signals() as should_stop:
            try:
                trained: Trained = train(
                    task,
                    settings,
                    on_progress=on_progress,
                    on_step=teller,
                    should_stop=should_stop,
                )
            except OtherRunError as error:
                if not self.result.exists():
                    raise
                raise OtherRunError(
                    f"{error}; to train its result further, give a new --run and "
                    f"--model {self.result}"
                ) from error
        if not trained.finished:
            raise stopped(trained.step)
        return dict(trained.averaged)


def load_generator(folder: Path) -> GenDeg:
    """A model whose generator can be trained, or trained with.

    Raises:
        click.UsageError: its autoencoder is another one than gendeg-mini's.
    """
    model = GenDeg.from_pretrained(folder)
    if not isinstance(model.autoencoder, PatchAutoencoder):
        kind = type(model.autoencoder).__name__
        raise click.UsageError(
            f"{folder} has Stable Diffusion's autoencoder ({kind}): training at full size is not "
            "supported yet; give a model of gendeg-mini's kind"
        )
    return model


def load_autoencoder(folder: Path) -> PatchAutoencoder:
    """An autoencoder that can be trained, or trained with.

    Raises:
        click.UsageError: it is another one than gendeg-mini's.
        ValueError: no such folder, or weights or a configuration that are not whole.
    """
    kind = read_object(folder / "config.json").get("_class_name")
    if kind != PatchAutoencoder.__name__:
        raise click.UsageError(
            f"{folder} is a {kind}: training at full size is not supported yet; "
            "give an autoencoder of gendeg-mini's kind"
        )
    return cast(PatchAutoencoder, load_module(PatchAutoencoder, folder, **DIFFUSERS))


def with_modules(model: GenDeg, modules: Mapping[str, nn.Module]) -> GenDeg:
    """The model with some of its modules exchanged."""
    return replace(model, modules=model.modules | dict(modules), folder=None)
