"""What each `gends-build train` command does."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import torch
from blake3 import blake3
from torch import nn

from gends.dataset import PairDataset
from gends.jobs import training
from gends.jobs.train import report
from gends.models.autoencoder import STRIDE, PatchAutoencoder
from gends.models.gendeg.calibration import Calibration
from gends.models.gendeg.model import GenDeg
from gends.models.gendeg.network import seeded
from gends.models.training.autoencoder import AutoencoderSettings, initialise
from gends.models.training.interruption import stop_on_signals
from gends.models.training.loop import train
from gends.models.training.schedule import Schedule
from gends.models.training.task import LoopSettings, Task, Trained

PRESET = "gendeg-mini"


def train_autoencoder(data: Path, *, model: Path | None, **flags: Any) -> Path:
    """Train the bundled preset's autoencoder; returns its folder."""
    run = _Run(flags)
    dataset = PairDataset(data)
    pool = training.ImagePool(dataset)
    if model is None:
        with seeded(run.options.seed):
            autoencoder = PatchAutoencoder()
        initialise(autoencoder, pool.batches())
    else:
        autoencoder = PatchAutoencoder.from_pretrained(model)
    autoencoder.to(run.device)
    settings = AutoencoderSettings(
        rate=run.options.rate, batch_size=run.options.batch_size, crop=run.options.crop
    )
    task = training.autoencoder_task(autoencoder, pool, run.options, settings)
    averaged: Any = run.train(task, training.source_of(data, dataset))["vae"]
    averaged.save_pretrained(run.result)
    return run.result


def train_generator(
    data: Path, *, autoencoder: Path | None, model: Path | None, latents: Path | None, **flags: Any
) -> Path:
    """Train the diffusion model; returns the folder of the whole model so far."""
    run = _Run(flags)
    dataset = PairDataset(data)
    generator = (
        _begin(autoencoder, run.options.seed) if model is None else GenDeg.from_pretrained(model)
    )
    folder = (autoencoder or model) if model is None else model / "vae"
    assert folder is not None
    cache = training.latent_cache(
        latents or run.folder / "latents", data, dataset, generator.autoencoder, _digest(folder)
    )
    if model is None:
        crop = run.options.crop // STRIDE
        generator.target = training.measure_target(generator.target, cache, crop, run.options.seed)
    generator.to(run.device, torch.float32)
    task = training.generator_task(generator, cache, run.options, STRIDE)
    averaged = run.train(task, training.source_of(data, dataset))
    result = training.with_modules(generator, averaged)
    result.save_pretrained(run.result)
    return run.result


def _begin(autoencoder: Path | None, seed: int) -> GenDeg:
    model = GenDeg.build(PRESET, seed=seed)
    trained = PatchAutoencoder.from_pretrained(autoencoder)
    return training.with_modules(model, {"vae": trained})


def train_correction(data: Path, *, model: Path, **flags: Any) -> Path:
    """Train the structure correction module; returns the folder of the model with it."""
    run = _Run(flags)
    generator = GenDeg.from_pretrained(model).to(run.device, torch.float32)
    dataset = PairDataset(data)
    pairs = training.CorrectionData(dataset, generator)
    task = training.correction_task(generator, pairs, run.options, STRIDE)
    averaged = run.train(task, training.source_of(data, dataset))
    training.with_modules(generator, averaged).save_pretrained(run.result)
    return run.result


def train_calibration(
    data: Path, *, model: Path, out: Path, samples: int, seed: int, half: bool
) -> None:
    """Measure the calibration curves and store the model with them."""
    trained = GenDeg.from_pretrained(model)
    curves = {}
    for name, curve in training.calibrate(trained, PairDataset(data), samples=samples, seed=seed):
        curves[name] = curve
        knots = (f"{a:.3f} → {p:.3f}" for a, p in zip(curve.asked, curve.produced, strict=True))
        click.echo(f"{name}: mu asked → produced: {', '.join(knots)}", err=True)
    trained.calibration = Calibration(curves)
    trained.save_pretrained(out, dtype=torch.float16 if half else None)


class _Run:
    """The settings that all trainings share."""

    def __init__(self, flags: dict[str, Any]) -> None:
        self.folder: Path = flags["run_folder"]
        self.result: Path = self.folder / "result"
        self.device = flags["device"] or ("cuda" if torch.cuda.is_available() else "cpu")
        self.flags = flags
        self.options = training.Options(
            batch_size=flags["batch_size"],
            crop=flags["crop"],
            rate=flags["rate"],
            seed=flags["seed"],
        )
        if self.options.crop % STRIDE:
            raise click.BadParameter(f"--crop {self.options.crop} is no multiple of {STRIDE}")
        if flags["threads"]:
            torch.set_num_threads(flags["threads"])

    def train(self, task: Task, source: dict[str, Any]) -> dict[str, nn.Module]:
        """Run the loop to its end; stop with exit code 130 on a signal, resumable."""
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
                **source,
                **asdict(self.options),
                "steps": flags["steps"],
                "bf16": flags["bf16"],
            },
        )
        with stop_on_signals() as should_stop:
            trained: Trained = train(task, settings, on_progress=report, should_stop=should_stop)
        if not trained.finished:
            click.echo(f"stopped at step {trained.step}; the same command goes on", err=True)
            raise click.exceptions.Exit(130)
        return dict(trained.averaged)


def _digest(folder: Path) -> str:
    files = sorted(p for p in folder.iterdir() if p.suffix in (".safetensors", ".json"))
    return blake3(b"".join(path.read_bytes() for path in files)).hexdigest()
