"""Metrics of pyiqa: an optional package, whose licence allows non-commercial use only."""

from __future__ import annotations

import contextlib
import io
import socket
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

from gends.models.metrics.metric import Metric, MissingMetricError

PATIENCE = 30.0
"""Seconds without an answer after which weights are out of reach; pyiqa itself waits for ever."""


def open_pyiqa(name: str, device: torch.device | str = "cpu") -> Metric:
    """A metric for single pictures by its name in pyiqa, its weights fetched or from the cache.

    Raises:
        MissingMetricError: pyiqa is not installed, or the weights are out of reach.
        ValueError: pyiqa knows no such metric for single pictures.
    """
    network = create(name, device)
    if network.metric_mode not in ("FR", "NR"):
        raise ValueError(f"{name!r} is no metric of single pictures")
    with_reference = network.metric_mode == "FR"

    @torch.inference_mode()
    def score(picture: Tensor, clean: Tensor) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value: Any = network(picture, clean) if with_reference else network(picture)
        return float(value)

    return Metric(
        name=name,
        lower_is_better=bool(network.lower_better),
        score=score,
        origin=f"pyiqa {version('pyiqa')}",
    )


def create(name: str, device: torch.device | str) -> Any:
    """pyiqa's own object for a metric.

    Raises:
        MissingMetricError: pyiqa is not installed, or the weights are out of reach.
        ValueError: pyiqa knows no such metric.
    """
    try:
        with _quiet():
            import pyiqa  # noqa: PLC0415  optional, and slow to import
    except ImportError as error:
        raise MissingMetricError(
            "needs pyiqa: pip install 'gends[quality]' (its licence allows non-commercial use only)"
        ) from error
    if name not in pyiqa.list_models():
        raise ValueError(f"no metric {name!r}: neither ours nor in pyiqa.list_models()")
    try:
        with _quiet():
            return pyiqa.create_metric(name, device=torch.device(device))
    except Exception as error:  # weights come from many places, each with errors of its own
        reason = str(error).strip().splitlines() or [""]
        raise MissingMetricError(
            f"pyiqa could not open it ({type(error).__name__}: {reason[0]})"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without pyiqa's announcements, its dependencies' warnings, and endless waiting."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        socket.setdefaulttimeout(before)
