"""`gends-build train generator`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gends.jobs.console.alive import alive
from gends.jobs.training.gendeg_training import (
    NAMES,
    Run,
    load_autoencoder,
    load_generator,
    with_modules,
)
from gends.jobs.training.inputs import source_of, start_of
from gends.models.autoencoder import STRIDE, Autoencoder, target_latents
from gends.models.degrader import Image, Instruction
from gends.models.files.digest import digest_folder
from gends.models.gendeg.model import GenDeg
from gends.models.gendeg.target import Target
from gends.models.pixels import grid, to_images
from gends.models.training.objectives.generator import (
    GeneratorParts,
    degradations_of,
    generator_loss,
)
from gends.models.training.objectives.latent_writer import with_flips
from gends.models.training.objectives.latents import LatentCache
from gends.models.training.randomness import torch_generator
from gends.models.training.task import Batch, Task
from gends.reading.dataset import PairDataset

PRESET = "gendeg-mini"
SAMPLE_ROWS = 2
"""Pictures of each degradation in a sample grid."""


def train_generator(
    data: Path, *, autoencoder: Path | None, model: Path | None, latents: Path | None, **flags: Any
) -> Path:
    """Train the diffusion model; returns the folder of the whole model so far.

    It begins with the autoencoder, or goes on from the model: exactly one of the two is given.
    """
    run = Run(flags)
    with alive("reading the pairs, and turning them into latents"):
        pairs = run.open(data)
        if model is not None:
            generator, folder = load_generator(model), model / "vae"
        else:
            assert autoencoder is not None
            generator, folder = _begin(autoencoder, run.options.seed), autoencoder
        generator.to(run.device, torch.float32)
        source = source_of(data)
        cache = latent_cache(
            latents or run.folder / "latents",
            pairs,
            generator.autoencoder,
            source | {"autoencoder": digest_folder(folder), "mirrored": True},
        )
        crop = run.options.crop // STRIDE
        if model is None:
            generator.target = measure_target(generator.target, cache, crop, run.options.seed)
        task = generator_task(generator, cache, run, crop)
    averaged = run.train(task, source | start_of(model or autoencoder))
    with_modules(generator, averaged).save_pretrained(run.result)
    return run.result


def _begin(autoencoder: Path, seed: int) -> GenDeg:
    trained = load_autoencoder(autoencoder)
    return with_modules(GenDeg.build(PRESET, seed=seed), {"vae": trained})


def latent_cache(
    path: Path, dataset: PairDataset, autoencoder: Autoencoder, source: Mapping[str, Any]
) -> LatentCache:
    """Encode a dataset and its mirror image once; a cache of the same `source` is opened again."""
    if path.exists():
        return LatentCache.open(path, source)

    def encode(images: Tensor) -> Tensor:
        on_device = images.to(autoencoder.device)
        return target_latents(autoencoder, on_device.float() / 127.5 - 1)

    pairs = ((item["gt"], item["lq"], item["degradation"]) for item in dataset)
    return LatentCache.build(path, with_flips(pairs), encode, source)


def measure_target(target: Target, cache: LatentCache, crop: int, seed: int) -> Target:
    """The target that standardises its training data; `crop` in cells of the latents."""
    if target.kind == "image":
        return target
    batch = cache.batch(0, seed, 256 * len(NAMES), crop)
    latents = (batch["lq"], batch["clean"], batch["mu"], batch["sigma"])
    return Target.measured(*latents, degradations_of(batch))


def generator_task(model: GenDeg, cache: LatentCache, run: Run, crop: int) -> Task:
    """Train UNet, severity conditioner and text encoder; `crop` in cells of the latents."""
    options = run.options
    parts = GeneratorParts.of(model, trains_text_encoder=True)
    for module in parts.modules().values():
        module.train()
    optimizer = torch.optim.AdamW(
        parts.parameter_groups(options.rate), betas=(0.9, 0.99), weight_decay=0.01
    )
    shown = _shown(cache.batch(0, options.seed + 1, 64 * len(NAMES), crop))
    return Task(
        modules=parts.modules(),
        optimizer=optimizer,
        loss=lambda step, batch: generator_loss(
            parts, batch, torch_generator(options.seed, step, "generator")
        ),
        batches=lambda step: cache.batch(step, options.seed, options.batch_size, crop),
        sample=lambda step, modules: _pictures(model, modules, shown),
    )


def _shown(batch: Batch) -> Batch:
    """The first few pictures of each degradation, mild before severe."""
    rows: list[int] = []
    for index in range(len(NAMES)):
        found = torch.nonzero(batch["degradation"] == index)[: 4 * SAMPLE_ROWS, 0]
        by_severity = found[batch["mu"][found].argsort()]
        rows += by_severity[:: max(1, len(found) // SAMPLE_ROWS)][:SAMPLE_ROWS].tolist()
    return {name: values[rows] for name, values in batch.items()}


def _pictures(model: GenDeg, modules: Mapping[str, nn.Module], shown: Batch) -> Image:
    """Rows of pictures: clean, generated, the training data's own degradation."""
    averaged = with_modules(model, modules)
    severities = zip(shown["mu"].tolist(), shown["sigma"].tolist(), strict=True)
    instructions = [
        Instruction(degradation=NAMES[index], mu=mu, sigma=sigma, seed=row)
        for row, (index, (mu, sigma)) in enumerate(
            zip(shown["degradation"].tolist(), severities, strict=True)
        )
    ]
    latents = averaged.generate(shown["clean"], instructions)
    return grid([to_images(averaged.decode(z)) for z in (shown["clean"], latents, shown["lq"])])
