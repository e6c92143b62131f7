"""How each restorer was published to be trained, as data. Needs no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from gends.models.training.objectives.losses import LossName
from gends.models.training.schedule import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """One training. The optimizer is AdamW and the schedule a cosine for all of them."""

    loss: LossName
    rate: float
    """Highest learning rate."""
    betas: tuple[float, float]
    weight_decay: float
    warmup: float = 0.0
    """Share of the steps until the highest rate is reached, in [0, 1)."""
    final_rate: float = 0.0
    """Learning rate where the cosine ends."""
    stretch: float = 1.0
    """Length of the schedule in runs: above 1, the run stops on the way down."""
    clip_norm: float = math.inf
    """Bound of the global gradient norm; infinite: none."""
    crop: int
    """Side of the training crops, in pixels."""
    batch_size: int
    """Crops to a step, over all devices."""
    steps: int
    flips: bool
    """Left and right, half of the time."""
    rotations: bool
    """By 0, 90, 180 or 270°, a quarter of the time each; with `flips` all eight ways are alike."""
    ema_decay: float = 0.0
    """Of the averaged weights; 0: none."""
    source: str
    """Where the values are from."""
    note: str = ""
    """What the values do not tell, and what was not published."""

    def schedule(self, steps: int) -> Schedule:
        """The learning rate over a run of `steps`, in the proportions of the publication."""
        return Schedule(
            kind="cosine",
            warmup=round(self.warmup * steps),
            final=self.final_rate / self.rate,
            stretch=self.stretch,
        )


_NAFNET_W32 = Hyperparameters(
    loss="psnr",
    rate=1e-3,
    betas=(0.9, 0.9),
    weight_decay=0.0,
    final_rate=1e-7,
    clip_norm=0.01,
    crop=256,
    batch_size=32,
    steps=200_000,
    flips=False,
    rotations=False,
    source="megvii-research/NAFNet at 2b4af71, options/train/SIDD/NAFNet-width32.yml",
    note="The bound of the gradient norm is the training code's (image_restoration_model.py); "
    "no option names it.",
)
_NAFNET_W64 = replace(
    _NAFNET_W32,
    batch_size=64,
    steps=400_000,
    source="megvii-research/NAFNet at 2b4af71, options/train/SIDD/NAFNet-width64.yml",
)
_GOPRO: dict[str, Any] = {"weight_decay": 1e-3, "flips": True, "rotations": True}

_PROMPTIR = Hyperparameters(
    loss="l1",
    rate=2e-4,
    betas=(0.9, 0.999),
    weight_decay=0.01,
    warmup=15 / 120,
    stretch=150 / 120,
    crop=128,
    batch_size=32,
    steps=534_120,
    flips=True,
    rotations=True,
    source="va1shn9v/PromptIR at 106159a, train.py, options.py and utils/schedulers.py",
    note="The authors count in epochs: 120, of 4451 steps each with the lists of their "
    "five-degradation training on 4 GPUs; warm-up over 15, cosine to 0 over 150, so the rate ends "
    "near 12 % of its highest. Theirs moves once per epoch and one epoch late, and is 0 in the "
    "first two; here it moves with every step. Betas and weight decay are torch's defaults. Theirs "
    "never leaves a crop as it is: one of the seven other flips and rotations is drawn.",
)

_SWIN = Hyperparameters(
    loss="l1",
    rate=2e-4,
    betas=(0.9, 0.999),
    weight_decay=0.01,
    warmup=0.01,
    final_rate=1e-6,
    clip_norm=1.0,
    crop=224,
    batch_size=32,
    steps=300_000,
    flips=True,
    rotations=True,
    source="ours",
    note="GenDeg (arXiv 2411.17687) publishes neither loss nor schedule of this restorer. These "
    "are usual for all-in-one restorers; the crop is the size the encoder was pretrained at.",
)

_TINY: dict[str, Any] = {
    "crop": 64,
    "batch_size": 8,
    "steps": 600,
    "flips": True,
    "rotations": True,
}
_TINY_SOURCE = "ours: the large one's loss and optimizer, for minutes on two processor cores"

HYPERPARAMETERS: dict[tuple[str, str], Hyperparameters] = {
    ("nafnet", "w32"): _NAFNET_W32,
    ("nafnet", "w64"): _NAFNET_W64,
    ("nafnet", "w32-gopro"): replace(
        _NAFNET_W32, **_GOPRO, source=_NAFNET_W32.source.replace("SIDD", "GoPro")
    ),
    ("nafnet", "w64-gopro"): replace(
        _NAFNET_W64, **_GOPRO, source=_NAFNET_W64.source.replace("SIDD", "GoPro")
    ),
    ("nafnet", "tiny"): replace(_NAFNET_W32, **_TINY, source=_TINY_SOURCE),
    ("promptir", "published"): _PROMPTIR,
    ("promptir", "tiny"): replace(
        _PROMPTIR,
        **_TINY | {"steps": 400},
        rate=1e-3,
        warmup=0.05,
        stretch=1.0,
        clip_norm=1.0,
        source=_TINY_SOURCE,
        note="A higher rate and the whole cosine: there are a thousand times fewer steps.",
    ),
    ("swin", "base"): _SWIN,
    ("swin", "tiny"): replace(
        _SWIN,
        **_TINY,
        rate=1e-3,
        warmup=0.05,
        source=_TINY_SOURCE,
        note="A higher rate: there are a thousand times fewer steps.",
    ),
}
"""(architecture, preset) → how to train it."""


def find_hyperparameters(arch: str, preset: str) -> Hyperparameters:
    """The hyperparameters of a restorer. Raises ValueError where there is none."""
    if (arch, preset) not in HYPERPARAMETERS:
        known = ", ".join(" ".join(names) for names in HYPERPARAMETERS)
        raise ValueError(f"no hyperparameters for {arch} {preset}; known are {known}")
    return HYPERPARAMETERS[arch, preset]
