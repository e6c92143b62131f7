"""Whether what is evaluated on was trained on."""

from __future__ import annotations

from gends.jobs.evaluation.settings import Settings
from gends.pipeline.disjoint import refuse_shared


def check_sources(settings: Settings) -> str:
    """Say what was checked.

    Raises:
        SharedSourcesError: photographs of the data are in the training data; they are named.
    """
    if not settings.train_data:
        return (
            "NOT checked whether the photographs were trained on: name the training data with "
            "--train-data."
        )
    refuse_shared(
        settings.train_data,
        settings.data,
        train_split=settings.train_split,
        test_split=settings.split,
    )
    return f"No photograph is in the training data ({', '.join(settings.train_data)}), by content."
