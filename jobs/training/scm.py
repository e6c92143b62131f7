"""`gends-build train scm`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gends.dataset import PairDataset
from gends.jobs.training.run import NAMES, Options, Run, source_of, with_modules
from gends.models.autoencoder import STRIDE, decode_latents, target_latents
from gends.models.gendeg.model import GenDeg
from gends.models.gendeg.network import seeded
from gends.models.pixels import to_tensor
from gends.models.scm import StructureCorrection
from gends.models.severity import measure
from gends.models.training.generator import GeneratorParts, degradations_of, drop_and_encode
from gends.models.training.randomness import numpy_generator
from gends.models.training.scm import CORRECTED, CorrectionLoss
from gends.models.training.task import Batch, Task


def train_correction(data: Path, *, model: Path, **flags: Any) -> Path:
    """Train the structure correction module; returns the folder of the model with it."""
    run = Run(flags)
    generator = GenDeg.from_pretrained(model).to(run.device, torch.float32)
    dataset = PairDataset(data)
    task = correction_task(generator, CorrectionData(dataset), run.options)
    averaged = run.train(task, source_of(data, dataset))
    with_modules(generator, averaged).save_pretrained(run.result)
    return run.result


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
    """Train the structure correction module on one-step estimates of the frozen generator."""
    with seeded(options.seed):
        scm = model.scm or StructureCorrection.from_preset("mini")
    scm.train()
    loss = CorrectionLoss(
        scm=scm,
        estimate=_Estimate(model),
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
    )


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
