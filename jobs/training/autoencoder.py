"""`gends-build train autoencoder`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from gends.jobs.console.alive import alive
from gends.jobs.training.gendeg_training import Options, Run, load_autoencoder
from gends.jobs.training.inputs import source_of, start_of
from gends.models.autoencoder import PatchAutoencoder
from gends.models.degrader import Image
from gends.models.pixels import grid, to_images, to_tensor
from gends.models.seeding import seeded
from gends.models.training.objectives.autoencoder import (
    autoencoder_loss,
    build_optimizer,
    initialize,
)
from gends.models.training.randomness import numpy_generator
from gends.models.training.task import Batch, Task
from gends.reading.dataset import PairDataset


def train_autoencoder(data: Path, *, model: Path | None, **flags: Any) -> Path:
    """Train the bundled preset's autoencoder; returns its folder."""
    run = Run(flags)
    with alive("reading the pairs"):
        pool = ImagePool(run.open(data))
        if model is None:
            with seeded(run.options.seed):
                autoencoder = PatchAutoencoder()
            initialize(autoencoder, pool.batches())
        else:
            autoencoder = load_autoencoder(model)
        autoencoder.to(run.device)
        task = autoencoder_task(autoencoder, pool, run.options)
    averaged: Any = run.train(task, source_of(data) | start_of(model))["vae"]
    averaged.save_pretrained(run.result)
    return run.result


class ImagePool:
    """All images of a dataset, clean and degraded, decoded once: crops of them by step."""

    def __init__(self, dataset: PairDataset) -> None:
        """Decode everything into memory: 0.2 MB per image of 256 pixels."""
        images: list[Image] = []
        seen: set[str] = set()
        for item in dataset:
            view = item["key"].rsplit("-", 2)
            name = f"{view[0]}-{view[2]}"
            if name not in seen:
                seen.add(name)
                images.append(item["gt"])
            images.append(item["lq"])
        self.images = np.stack(images)

    def batches(self, size: int = 32) -> Iterator[Tensor]:
        """All images, whole, in order."""
        for start in range(0, len(self.images), size):
            yield to_tensor(self.images[start : start + size])

    def batch(self, step: int, options: Options) -> Batch:
        """Random crops, mirrored and turned: a function of step and options alone."""
        rng = numpy_generator(options.seed, step, "images")
        count, height, width, _ = self.images.shape
        crops = []
        for index in rng.integers(count, size=options.batch_size):
            top = rng.integers(height - options.crop + 1)
            left = rng.integers(width - options.crop + 1)
            crop = self.images[index, top : top + options.crop, left : left + options.crop]
            crops.append(np.rot90(crop[:, :: int(rng.choice((1, -1)))], int(rng.integers(4))))
        return {"images": to_tensor(crops)}


def autoencoder_task(autoencoder: PatchAutoencoder, pool: ImagePool, options: Options) -> Task:
    """Train the decoder's correction; the linear pair is set before the first step."""
    shown = pool.batch(0, replace(options, seed=options.seed + 1, batch_size=8))["images"]

    def sample(step: int, modules: Mapping[str, nn.Module]) -> Image:
        return grid([to_images(shown), to_images(modules["vae"](shown.to(autoencoder.device)))])

    return Task(
        modules={"vae": autoencoder},
        optimizer=build_optimizer(autoencoder, options.rate),
        loss=lambda step, batch: autoencoder_loss(autoencoder, batch["images"]),
        batches=lambda step: pool.batch(step, options),
        sample=sample,
    )
