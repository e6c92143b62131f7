"""What is asked of a restorer's training, checked against its data before anything starts."""

from __future__ import annotations

from gends.dataset import PairDataset
from gends.jobs.training.pair_feed import open_stream
from gends.jobs.training.restorer_settings import RestorerSettings
from gends.models.training.ranks import ALONE
from gends.pipeline.disjoint import refuse_shared


def check_inputs(settings: RestorerSettings) -> None:
    """Open what is trained and validated on, as the ranks will.

    Raises:
        ValueError: there are no such pairs, they are smaller than the crops, or the mix is none of
            the roots.
        SharedSourcesError: photographs to validate on are trained on.
    """
    open_stream(settings, ALONE)
    validation, data = settings.validation, settings.data
    if validation is not None:
        PairDataset(list(validation.roots), split=validation.split)
        refuse_shared(
            data.all_roots, validation.roots, train_split=data.split, test_split=validation.split
        )
