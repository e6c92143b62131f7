"""`gends-build train scm`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gends.jobs.console.alive import alive
from gends.jobs.training.gendeg_training import NAMES, Options, Run, load_generator, with_modules
from gends.jobs.training.inputs import source_of, start_of
from gends.models.autoencoder import STRIDE, decode_latents, target_latents
from gends.models.degrader import Image
from gends.models.gendeg.model import GenDeg
from gends.models.pixels import grid, to_images, to_tensor
from gends.models.scm import StructureCorrection
from gends.models.seeding import seeded
from gends.models.severity import measure
from gends.models.training.objectives.generator import (
    GeneratorParts,
    degradations_of,
    drop_and_encode,
)
from gends.models.training.objectives.scm import CORRECTED, CorrectionLoss
from gends.models.training.randomness import numpy_generator, torch_generator
from gends.models.training.task import Batch, Task
from gends.reading.dataset import PairDataset

PRESET = "mini"
"""Size of a structure correction module where none is asked for."""
SHOWN = 8
"""Pictures in a row of a sample grid."""


def train_correction(data: Path, *, model: Path, preset: str | None, **flags: Any) -> Path:
    """Train the structure correction module; returns the folder of the model with it.

    It begins anew in the size of the preset, or goes on from the model's own where none is given.
    """
    run = Run(flags)
    with alive("reading the pairs"):
        pairs = run.open(data)
        generator = begin(load_generator(model), preset, run.options.seed)
        generator.to(run.device, torch.float32)
        task = correction_task(generator, CorrectionData(pairs), run.options)
    averaged = run.train(task, source_of(data) | start_of(model) | {"preset": preset})
    with_modules(generator, averaged).save_pretrained(run.result)
    return run.result


def begin(model: GenDeg, preset: str | None, seed: int) -> GenDeg:
    """The model with a structure correction module to train.

    Raises:
        ValueError: unknown preset.
    """
    if model.scm is not None and preset is None:
        return model
    with seeded(seed):
        return with_modules(model, {"scm": StructureCorrection.from_preset(preset or PRESET)})


class CorrectionData:
    """Pairs of the degradations that are corrected."""

    def __init__(self, dataset: PairDataset) -> None:
        """Decode all of them into memory."""
        items = [item for item in dataset if item["degradation"] in CORRECTED]
        self.gt = np.stack([item["gt"] for item in items])
        self.lq = np.stack([item["lq"] for item in items])
        self.degradation = np.array([NAMES.index(item["degradation"]) for item in items])

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


def correction_task(model: GenDeg, data: CorrectionData, options: Options) -> Task:
    """Train the model's structure correction on one-step estimates of its frozen generator."""
    scm = model.scm
    assert scm is not None
    estimate = _Estimate(model)
    loss = CorrectionLoss(
        scm=scm,
        estimate=estimate,
        alphas_cumprod=model.schedule.alphas_cumprod,
        latent_channels=model.unet.config["out_channels"],
        stride=STRIDE,
        seed=options.seed,
    )
    optimizer = torch.optim.AdamW(scm.parameters(), lr=options.rate, betas=(0.9, 0.9))
    return Task(
        modules={"scm": scm},
        optimizer=optimizer,
        loss=loss,
        batches=lambda step: data.batch(step, options),
        sample=_pictures(estimate, data, replace(options, seed=options.seed + 1, batch_size=SHOWN)),
    )


def _pictures(
    estimate: _Estimate, data: CorrectionData, options: Options
) -> Callable[[int, Mapping[str, nn.Module]], Image]:
    """Draws rows of pictures: clean, one-step estimate, corrected, the training data's own.

    Noise grows from left to right.
    """
    model = estimate.model
    shown = data.batch(0, options)
    count = len(model.schedule.alphas_cumprod)
    timesteps = torch.linspace(0, count - 1, len(shown["lq"]) + 2)[1:-1].long()
    shape = (model.unet.config["out_channels"], *(side // STRIDE for side in shown["lq"].shape[2:]))
    random = torch_generator(options.seed, 0, "pictures")
    noise = torch.randn((len(timesteps), *shape), generator=random)

    def sample(_: int, modules: Mapping[str, nn.Module]) -> Image:
        batch = {name: values.to(model.device) for name, values in shown.items()}
        generated = estimate(batch, timesteps.to(model.device), noise.to(model.device))
        corrected = modules["scm"](batch["clean"], generated)
        rows = (shown["clean"], generated, corrected, shown["lq"])
        return grid([to_images(row) for row in rows])

    return sample


class _Estimate:
    """What the frozen generator takes a noised degraded picture for, in one step."""

    def __init__(self, model: GenDeg) -> None:
        self.model = model
        self.parts = GeneratorParts.of(model, trains_text_encoder=False)

    def __call__(self, batch: Batch, timesteps: Tensor, noise: Tensor) -> Tensor:
        model = self.model
        latents = {name: target_latents(model.autoencoder, batch[name]) for name in ("clean", "lq")}
        severity = (batch["mu"], batch["sigma"])
        names = degradations_of(batch)
        target = model.target.encode(latents["lq"], latents["clean"], *severity, names)
        noisy = model.schedule.add_noise(target, noise, timesteps)
        keep_all = torch.ones(len(noisy))
        condition, states = drop_and_encode(self.parts, batch | latents, keep_all)
        prediction = model.unet(torch.cat([noisy, condition], 1), timesteps, states).sample
        target = model.schedule.one_step_estimate(noisy, prediction.float(), timesteps)
        lq = model.target.decode(target, latents["clean"], *severity, names)
        return decode_latents(model.autoencoder, lq).clamp(-1, 1)
