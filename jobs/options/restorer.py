"""From the flags of `gends-build train restorer` to what is trained, and where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from gends.jobs.cluster.cpus import available_cpus
from gends.jobs.training.restorer.settings import Data, RestorerSettings, Validation
from gends.jobs.training.restorer.train import Place
from gends.jobs.training.trained_on import History, history_of
from gends.models.restorers.hyperparameters import Hyperparameters, find_hyperparameters

HYPERPARAMETER_FLAGS = {
    "steps": "steps",
    "batch_size": "batch_size",
    "crop": "crop",
    "rate": "rate",
    "ema": "ema_decay",
}
"""Flag → hyperparameter that it replaces."""


def settings_of(flags: Mapping[str, Any]) -> RestorerSettings:
    """What the flags ask to train.

    Raises:
        click.UsageError: there is nothing to train on, two things to begin with, or a
            rate below the schedule's last.
        ValueError: there is no such preset, or the record of --model is damaged.
    """
    if flags["pretrained"] and flags["model"]:
        raise click.UsageError("give either --pretrained or --model, to begin with")
    model = flags["model"] and flags["model"].absolute()
    keys = ("arch", "preset", "pretrained", "seed", "bf16", "loader_workers", "log_keys")
    steps = ("checkpoint_every", "sample_every", "report_every")
    return RestorerSettings(
        folder=flags["run_folder"].absolute(),
        model=model,
        history=History() if model is None else history_of(model),
        hyperparameters=_hyperparameters(flags),
        data=_data(flags),
        validation=_validation(flags),
        threads=flags["threads"] or max(1, available_cpus() // (flags["workers"] or 1)),
        **{name: flags[name] for name in (*keys, *steps)},
    )


def place_of(flags: Mapping[str, Any]) -> Place:
    """Where the flags ask to train."""
    return Place(address=flags["address"], workers=flags["workers"], device=flags["device"])


def _hyperparameters(flags: Mapping[str, Any]) -> Hyperparameters:
    given = {
        field: flags[flag]
        for flag, field in HYPERPARAMETER_FLAGS.items()
        if flags[flag] is not None
    }
    chosen = find_hyperparameters(flags["arch"], flags["preset"])
    if flags["rate"] is not None and flags["rate"] < chosen.final_rate:
        raise click.UsageError(
            f"--rate {flags['rate']:g} is below {chosen.final_rate:g}, which the schedule ends at"
        )
    return replace(chosen, **given)


def _data(flags: Mapping[str, Any]) -> Data:
    roots, original = _places(flags["data"]), _places(flags["original"])
    if not roots + original:
        raise click.UsageError("nothing to train on: give --data or --original")
    return Data(
        roots=roots,
        original=original,
        mix=flags["mix"],
        length=flags["epoch_pairs"],
        split=flags["split"],
        degradations=flags["degradation"] or None,
    )


def _validation(flags: Mapping[str, Any]) -> Validation | None:
    roots, split = _places(flags["validation"]), flags["validation_split"]
    if not roots and split is None:
        return None
    return Validation(
        roots=roots or _places(flags["data"]) + _places(flags["original"]),
        split=split,
        most=flags["validation_pairs"],
        every=flags["validate_every"],
    )


def _places(roots: Iterable[str]) -> tuple[str, ...]:
    """Folders by their whole paths, which Ray's processes need; buckets as they are."""
    return tuple(root if "://" in root else str(Path(root).absolute()) for root in roots)
