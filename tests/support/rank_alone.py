"""A training of a restorer by a single rank, in this process and without Ray."""

from __future__ import annotations

import torch

from gends.jobs.training.restorer.task import loop_settings, restorer_task
from gends.jobs.training.restorer.train import identity_of
from gends.models.training.loop import train
from gends.models.training.ranks import ALONE


def run(settings, *, steps=None, seen=None):
    """Train, to the end or for so many steps; returns what `train` does."""
    on_figures = [].append if seen is None else seen.append
    task = restorer_task(settings, ALONE, torch.device("cpu"), on_figures)
    left = iter(range(steps or 10**9))
    stop = lambda: next(left) + 1 == steps  # noqa: E731
    return train(task, loop_settings(settings, identity_of(settings)), should_stop=stop)


def weights(trained):
    """Of the averaged restorer, by name."""
    (restorer,) = trained.averaged.values()
    return restorer.state_dict()
