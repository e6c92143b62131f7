"""What all trainings share: flags, identity of the data, reporting, pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import click
import numpy as np
import numpy.typing as npt
import torch
from blake3 import blake3
from torch import nn

from gends.dataset import PairDataset
from gends.jobs import sigterm
from gends.jobs.progress import duration
from gends.models.autoencoder import PatchAutoencoder
from gends.models.degradations import DEGRADATIONS
from gends.models.degrader import Image
from gends.models.digest import digest_folder
from gends.models.gendeg.model import GenDeg
from gends.models.training.interruption import stop_on_signals
from gends.models.training.loop import OtherRunError, train
from gends.models.training.progress import Progress
from gends.models.training.schedule import Schedule
from gends.models.training.task import LoopSettings, Task, Trained
from gends.pipeline.dataset import IDENTITY_NAME
from gends.pipeline.manifest import read_facts
from gends.pipeline.reader import readable_shards
from gends.pipeline.store import open_store

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
        on_progress = _reporter(self.folder if flags["tensorboard"] else None)
        with stop_on_signals() as should_stop:
            try:
                trained: Trained = train(
                    task, settings, on_progress=on_progress, should_stop=should_stop
                )
            except OtherRunError as error:
                if not self.result.exists():
                    raise
                raise OtherRunError(
                    f"{error}; to train its result further, give a new --run and "
                    f"--model {self.result}"
                ) from error
        if not trained.finished:
            click.echo(f"stopped at step {trained.step}; the same command goes on", err=True)
            raise click.exceptions.Exit(os.EX_TEMPFAIL if sigterm.noted() else 130)
        return dict(trained.averaged)


def device_of(name: str | None) -> str:
    """The device of that name; where none is given, a GPU if there is one.

    Raises:
        click.BadParameter: there is no such device here.
    """
    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    # A build without CUDA asserts that it has none.
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise click.BadParameter(
            f"no device {name!r} here ({reason}); give cpu, cuda or cuda:N", param_hint="--device"
        ) from error
    return name


def source_of(root: Path | str) -> dict[str, Any]:
    """Names the data of a run: what a dataset was founded with, and the bytes of its shards.

    Raises:
        OSError: there is no dataset.json.
    """
    store = open_store(root)
    identity = json.loads(store.read(IDENTITY_NAME))
    shards = blake3()
    for shard in readable_shards(store):
        shards.update(f"{shard} {read_facts(store, shard)['shard_blake3']}\n".encode())
    names = ("config_digest", "catalog_digest", "profile_digest", "engine")
    return {name: identity[name] for name in names} | {"shards": shards.hexdigest()}


def start_of(folder: Path | None) -> dict[str, Any]:
    """Names the weights that a run begins with."""
    return {"starts_from": None if folder is None else digest_folder(folder)}


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
    """
    kind = PatchAutoencoder.load_config(folder).get("_class_name")
    if kind != PatchAutoencoder.__name__:
        raise click.UsageError(
            f"{folder} is a {kind}: training at full size is not supported yet; "
            "give an autoencoder of gendeg-mini's kind"
        )
    return cast(PatchAutoencoder, PatchAutoencoder.from_pretrained(folder))


def with_modules(model: GenDeg, modules: Mapping[str, nn.Module]) -> GenDeg:
    """The model with some of its modules exchanged."""
    return replace(model, modules=model.modules | dict(modules), folder=None)


def grid(rows: Sequence[npt.NDArray[np.uint8]]) -> Image:
    """Rows of equally many pictures (N, H, W, 3) as one picture."""
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)


def _reporter(tensorboard: Path | None) -> Callable[[Progress], None]:
    if tensorboard is None:
        return _print
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415
    except ImportError as error:
        raise click.UsageError(
            "--tensorboard needs the tensorboard package: pip install 'gends[train]'"
        ) from error
    # A resumed run writes a new file; steps that run again replace those of the lost process.
    writer = SummaryWriter(tensorboard / "tensorboard")

    def report(progress: Progress) -> None:
        _print(progress)
        figures = {
            "loss": progress.loss,
            "learning_rate": progress.learning_rate,
            "images_per_second": progress.images_per_second,
            **progress.metrics,
        }
        for name, value in figures.items():
            writer.add_scalar(name, value, progress.step)
        writer.flush()

    return report


def _print(progress: Progress) -> None:
    """One line."""
    metrics = "  ".join(f"{name} {value:.4g}" for name, value in progress.metrics.items())
    click.echo(
        f"step {progress.step}/{progress.steps}  loss {progress.loss:.4f}  {metrics}  "
        f"{progress.images_per_second:.1f} images/s  rate {progress.learning_rate:.2e}  "
        f"ETA {duration(progress.seconds_left)}",
        err=True,
    )
