"""What is asked of a restorer's training, checked against its data before anything starts."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from gends.jobs.training.restorer.pair_feed import open_stream
from gends.jobs.training.restorer.settings import Data, RestorerSettings
from gends.models.restorers.start import load_start
from gends.models.training.ranks import ALONE
from gends.pipeline.reading.disjoint import refuse_shared
from gends.reading.dataset import PairDataset


def check_inputs(settings: RestorerSettings) -> list[str]:
    """Open what is trained and validated on, and begun with, as the ranks will.

    Returns:
        Why some of what was trained on before cannot be told from what is validated on.

    Raises:
        ValueError: there are no such pairs, they are smaller than the crops, a root has none of
            them, the mix is none of the roots, or the first weights are of another restorer.
        SharedSourcesError: photographs to validate on are trained on, or were before.
    """
    pairs = open_stream(settings, ALONE).dataset
    _check_used(pairs.rows, settings.data)
    validation, data = settings.validation, settings.data
    if settings.model is not None:
        load_start(settings.arch, settings.preset, settings.model)
    if validation is None:
        return []
    PairDataset(list(validation.roots), split=validation.split)
    history = settings.history
    found, unknown = history.find((*data.all_roots, *validation.roots))
    found.setdefault(data.split, []).extend(data.all_roots)
    for split, roots in found.items():
        refuse_shared(roots, validation.roots, train_split=split, test_split=validation.split)
    return unknown if history.gap is None else [*unknown, history.gap]


def _check_used(rows: pa.Table, data: Data) -> None:
    used = set(pc.unique(rows["root"]).to_pylist())
    for number, root in enumerate(data.all_roots):
        if number not in used:
            raise ValueError(
                f"{root}: not one of its pairs is of split {data.split or 'all'} and what else is "
                "asked for, so it would not be trained on: leave it out, or ask for what it has"
            )
