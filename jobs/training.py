"""Wires datasets of pairs to the training loops of `gends.models.training`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from gends.dataset import PairDataset
from gends.histograms.severity import measure as measure_pair
from gends.models.autoencoder import (
    Autoencoder,
    PatchAutoencoder,
    decode_latents,
    target_latents,
)
from gends.models.degradations import DEGRADATIONS
from gends.models.degrader import Image, Instruction
from gends.models.gendeg.calibration import Calibration, Curve, fit_curve
from gends.models.gendeg.engine import GenDegDegrader
from gends.models.gendeg.model import GenDeg
from gends.models.gendeg.network import seeded
from gends.models.gendeg.target import Target
from gends.models.scm import StructureCorrection
from gends.models.severity import measure
from gends.models.training.autoencoder import (
    AutoencoderSettings,
    autoencoder_loss,
    build_optimizer,
)
from gends.models.training.generator import (
    GeneratorParts,
    degradations_of,
    drop_and_encode,
    generator_loss,
)
from gends.models.training.latent_writer import with_flips
from gends.models.training.latents import LatentCache
from gends.models.training.randomness import numpy_generator, step_seed, torch_generator
from gends.models.training.scm import CORRECTED, CorrectionLoss
from gends.models.training.task import Batch, Task

NAMES = tuple(DEGRADATIONS)
SAMPLE_ROWS = 2
"""Pictures of each degradation in a sample grid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the three trainings have in common."""

    batch_size: int
    crop: int
    """Side of the training crops, in pixels."""
    rate: float
    seed: int


def source_of(root: Path, dataset: PairDataset) -> dict[str, Any]:
    """Names the data of a run, so that it cannot be resumed on other data."""
    return {"data": root.name, "pairs": len(dataset), "first": dataset.rows["key"][0].as_py()}


def to_tensor(images: Sequence[Image] | npt.NDArray[np.uint8]) -> Tensor:
    """uint8 (N, H, W, 3) to float32 (N, 3, H, W) in [-1, 1]."""
    stacked = torch.from_numpy(np.ascontiguousarray(np.stack(list(images))))
    return stacked.permute(0, 3, 1, 2).float() / 127.5 - 1


def to_images(tensor: Tensor) -> npt.NDArray[np.uint8]:
    """The inverse of `to_tensor`, rounded."""
    levels = ((tensor.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return levels.permute(0, 2, 3, 1).cpu().numpy()


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


def autoencoder_task(
    autoencoder: PatchAutoencoder, pool: ImagePool, options: Options, settings: AutoencoderSettings
) -> Task:
    """Train the decoder's correction; the linear pair is set before the first step."""
    shown = pool.batch(0, replace(options, seed=options.seed + 1, batch_size=8))["images"]

    def sample(step: int, modules: Mapping[str, nn.Module]) -> Image:
        return grid([to_images(shown), to_images(modules["vae"](shown))])

    return Task(
        modules={"vae": autoencoder},
        optimizer=build_optimizer(autoencoder, settings),
        loss=lambda step, batch: autoencoder_loss(autoencoder, batch["images"], settings),
        batches=lambda step: pool.batch(step, options),
        sample=sample,
    )


def latent_cache(
    path: Path, root: Path, dataset: PairDataset, autoencoder: Autoencoder, digest: str
) -> LatentCache:
    """Encode a dataset and its mirror image once; a cache of the same data is opened again."""
    source = source_of(root, dataset) | {"autoencoder": digest, "mirrored": True}
    if path.exists():
        return LatentCache.open(path, source)

    def encode(images: Tensor) -> Tensor:
        return target_latents(autoencoder, images.float() / 127.5 - 1)

    pairs = ((item["gt"], item["lq"], item["degradation"]) for item in dataset)
    return LatentCache.build(path, with_flips(pairs), encode, source)


def generator_task(model: GenDeg, cache: LatentCache, options: Options, stride: int) -> Task:
    """Train UNet, severity conditioner and, where the preset says so, the text encoder."""
    parts = GeneratorParts.of(model, trains_text_encoder=True)
    for module in parts.modules().values():
        module.train()
    optimizer = torch.optim.AdamW(
        parts.parameter_groups(options.rate), betas=(0.9, 0.99), weight_decay=0.01
    )
    crop = options.crop // stride
    shown = _shown(cache.batch(0, options.seed + 1, 64 * len(NAMES), crop))
    return Task(
        modules=parts.modules(),
        optimizer=optimizer,
        loss=lambda step, batch: generator_loss(
            parts, batch, torch_generator(options.seed, step, "generator")
        ),
        batches=lambda step: cache.batch(step, options.seed, options.batch_size, crop),
        sample=lambda step, modules: _generator_grid(model, modules, shown),
    )


def measure_target(target: Target, cache: LatentCache, crop: int, seed: int) -> Target:
    """The target that standardises its training data."""
    if target.kind == "image":
        return target
    batch = cache.batch(0, seed, 256 * len(NAMES), crop)
    latents = (batch["lq"], batch["clean"], batch["mu"], batch["sigma"])
    return Target.measured(*latents, degradations_of(batch))


def _shown(batch: Batch) -> Batch:
    """The first few pictures of each degradation, mild before severe."""
    rows: list[int] = []
    for index in range(len(NAMES)):
        found = torch.nonzero(batch["degradation"] == index)[: 4 * SAMPLE_ROWS, 0]
        by_severity = found[batch["mu"][found].argsort()]
        rows += by_severity[:: max(1, len(found) // SAMPLE_ROWS)][:SAMPLE_ROWS].tolist()
    return {name: values[rows] for name, values in batch.items()}


def with_modules(model: GenDeg, modules: Mapping[str, nn.Module]) -> GenDeg:
    """The model with some of its modules exchanged."""
    return replace(model, modules=model.modules | dict(modules), folder=None)


def _generator_grid(model: GenDeg, modules: Mapping[str, nn.Module], shown: Batch) -> Image:
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
    rows = [to_images(averaged.decode(z)) for z in (shown["clean"], latents, shown["lq"])]
    return grid(rows)


def grid(rows: Sequence[npt.NDArray[np.uint8]]) -> Image:
    """Rows of equally many pictures (N, H, W, 3) as one picture."""
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)


class CorrectionData:
    """Pairs of the degradations that are corrected, with their latents."""

    def __init__(self, dataset: PairDataset, model: GenDeg) -> None:
        """Decode all pairs into memory."""
        items = [item for item in dataset if item["degradation"] in CORRECTED]
        self.gt = np.stack([item["gt"] for item in items])
        self.lq = np.stack([item["lq"] for item in items])
        self.degradation = np.array([NAMES.index(item["degradation"]) for item in items])
        self.autoencoder = model.autoencoder

    def batch(self, step: int, options: Options) -> Batch:
        """Random crops of pairs; mu and sigma are those of the crop."""
        rng = numpy_generator(options.seed, step, "correction")
        rows = rng.integers(len(self.gt), size=options.batch_size)
        top, left = rng.integers(self.gt.shape[1] - options.crop + 1, size=2)
        window = np.s_[rows, top : top + options.crop, left : left + options.crop]
        clean, lq = to_tensor(self.gt[window]), to_tensor(self.lq[window])
        mu, sigma = measure((lq + 1) / 2, (clean + 1) / 2)
        return {
            "clean": clean,
            "lq": lq,
            "mu": mu,
            "sigma": sigma,
            "degradation": torch.from_numpy(self.degradation[rows]),
        }


def correction_task(model: GenDeg, data: CorrectionData, options: Options, stride: int) -> Task:
    """Train the structure correction module on one-step estimates of the frozen generator."""
    with seeded(options.seed):
        scm = model.scm or StructureCorrection.from_preset("mini")
    scm.train()
    parts = GeneratorParts.of(model, trains_text_encoder=False)

    def estimate(batch: Batch, timesteps: Tensor, noise: Tensor) -> Tensor:
        latents = {
            "clean": target_latents(model.autoencoder, batch["clean"]),
            "lq": target_latents(model.autoencoder, batch["lq"]),
        }
        severity = (batch["mu"], batch["sigma"])
        names = degradations_of(batch)
        target = model.target.encode(latents["lq"], latents["clean"], *severity, names)
        noisy = model.schedule.add_noise(target, noise, timesteps)
        keep_all = torch.ones(len(noisy))
        condition, states = drop_and_encode(parts, batch | latents, keep_all)
        prediction = model.unet(torch.cat([noisy, condition], 1), timesteps, states).sample
        target = model.schedule.one_step_estimate(noisy, prediction.float(), timesteps)
        lq = model.target.decode(target, latents["clean"], *severity, names)
        return decode_latents(model.autoencoder, lq).clamp(-1, 1)

    loss = CorrectionLoss(
        scm=scm,
        estimate=estimate,
        alphas_cumprod=model.schedule.alphas_cumprod,
        latent_channels=model.unet.config["out_channels"],
        stride=stride,
        seed=options.seed,
    )
    optimizer = torch.optim.AdamW(scm.parameters(), lr=options.rate, betas=(0.9, 0.9))
    return Task(
        modules={"scm": scm},
        optimizer=optimizer,
        loss=loss,
        batches=lambda step: data.batch(step, options),
    )


def calibrate(
    model: GenDeg, dataset: PairDataset, *, samples: int, seed: int
) -> Iterator[tuple[str, Curve]]:
    """Measure, on photographs of training pairs, the mu that each requested mu produces.

    `samples` pairs per degradation, with the severities that these pairs have.
    """
    degrader = GenDegDegrader(replace(model, calibration=Calibration()))
    names = np.array(dataset.rows["degradation"].to_pylist())
    for index, name in enumerate(NAMES):
        rng = np.random.default_rng(step_seed(seed, index, "calibration"))
        rows = np.flatnonzero(names == name)
        chosen = rng.choice(rows, size=min(samples, len(rows)), replace=False)
        items = [dataset[row] for row in chosen.tolist()]
        instructions = [
            Instruction(
                degradation=name, mu=item["mu"], sigma=item["sigma"], seed=int(rng.integers(2**63))
            )
            for item in items
        ]
        made = degrader.degrade([item["gt"] for item in items], [[i] for i in instructions])
        produced = [max(measure_pair(pair.lq, pair.gt).mu, 1e-4) for (pair,) in made]
        yield name, fit_curve([i.mu for i in instructions], produced)
