"""What is asked of a restorer's training, checked against its data before anything starts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gends.dataset import PairDataset
from gends.jobs.training.pair_feed import open_stream
from gends.jobs.training.restorer_settings import RestorerSettings, Validation
from gends.jobs.training.trained_on import RECORD, history_of
from gends.models.restorers.start import load_start
from gends.models.training.ranks import ALONE
from gends.pipeline.disjoint import refuse_shared


def check_inputs(settings: RestorerSettings) -> list[str]:
    """Open what is trained and validated on, and begun with, as the ranks will.

    Returns:
        What could not be checked.

    Raises:
        ValueError: there are no such pairs, they are smaller than the crops, the mix is none of
            the roots, or the first weights are of another restorer.
        SharedSourcesError: photographs to validate on are trained on, or were before.
    """
    open_stream(settings, ALONE)
    validation, data, model = settings.validation, settings.data, settings.model
    if model is not None:
        load_start(settings.arch, settings.preset, model)
    if validation is None:
        return []
    PairDataset(list(validation.roots), split=validation.split)
    refuse_shared(
        data.all_roots, validation.roots, train_split=data.split, test_split=validation.split
    )
    return [] if model is None else list(_unchecked(model, validation))


def _unchecked(model: Path, validation: Validation) -> Iterator[str]:
    history = history_of(model)
    for data in history.data:
        try:
            root = data.find()
        except (OSError, ValueError, KeyError) as error:
            yield f"the data that {model} was trained on are not there any more ({error})"
            continue
        refuse_shared([root], validation.roots, train_split=data.split, test_split=validation.split)
    if history.unknown is not None:
        yield f"{history.unknown} has no {RECORD} that says what it was trained on"
