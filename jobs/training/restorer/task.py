"""A restorer's training as a task of the one loop; knows nothing of Ray."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import nn

from gends.jobs.training.restorer.pair_feed import PairFeed
from gends.jobs.training.restorer.samples import Samples
from gends.jobs.training.restorer.settings import RestorerSettings
from gends.jobs.training.restorer.validation import Figures, Validator
from gends.models.restorers.architectures import Restorer, create
from gends.models.restorers.start import load_start
from gends.models.training.objectives.losses import LOSSES
from gends.models.training.objectives.restorer import restorer_loss
from gends.models.training.ranks import Ranks
from gends.models.training.task import LoopSettings, Task
from gends.reading.dataset import PairDataset

NAME = "restorer"
"""Of the trained module."""


def restorer_task(
    settings: RestorerSettings,
    ranks: Ranks,
    device: torch.device,
    on_figures: Callable[[Figures], None],
) -> Task:
    """What one rank does; `on_figures` gets those of every validation, on the first rank."""
    chosen = settings.hyperparameters
    restorer = cast(nn.Module, _first(settings)).to(device)
    parallel, criterion = ranks.wrap(restorer), LOSSES[chosen.loss]
    return Task(
        modules={NAME: restorer},
        optimizer=torch.optim.AdamW(
            restorer.parameters(), chosen.rate, chosen.betas, weight_decay=chosen.weight_decay
        ),
        loss=lambda step, batch: restorer_loss(parallel, criterion, batch),
        batches=PairFeed(settings, ranks, device),
        sample=Samples(settings, device) if settings.sample_every and ranks.first else None,
        validate=_validator(settings, ranks, device, on_figures),
    )


def _first(settings: RestorerSettings) -> Restorer:
    """With the weights before the first step."""
    names = (settings.arch, settings.preset)
    if settings.model is not None:
        return load_start(*names, settings.model)
    return create(*names, settings.seed, pretrained=settings.pretrained)


def loop_settings(settings: RestorerSettings, identity: Mapping[str, Any]) -> LoopSettings:
    """How long, how fast, and what is written when."""
    chosen, validation = settings.hyperparameters, settings.validation
    return LoopSettings(
        directory=settings.folder,
        steps=chosen.steps,
        schedule=chosen.schedule(chosen.steps),
        ema_decay=chosen.ema_decay,
        clip_norm=chosen.clip_norm,
        bf16=settings.bf16,
        report_every=settings.report_every,
        checkpoint_every=settings.checkpoint_every,
        sample_every=settings.sample_every,
        validate_every=validation.every if validation else 0,
        identity=identity,
    )


def _validator(
    settings: RestorerSettings,
    ranks: Ranks,
    device: torch.device,
    on_figures: Callable[[Figures], None],
) -> Validator | None:
    validation = settings.validation
    if validation is None:
        return None
    pairs = PairDataset(list(validation.roots), split=validation.split, preset="tensor")
    return Validator(pairs, validation.most, ranks, device, on_figures)
