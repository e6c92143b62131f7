"""Scores of a small dataset: a restorer that takes half of the degradation away."""

from __future__ import annotations

import numpy as np
import pytest

from gends.models.metrics.catalog import open_metrics
from gends.pipeline.evaluation.pairs import select_pairs
from gends.pipeline.evaluation.score import score_pairs
from gends.pipeline.evaluation.summary import Bootstrap, summarise
from gends.pipeline.reading.reader import ShardReader, read_pictures


@pytest.fixture(scope="session")
def halfway(finished):
    """(row, lq) → the mean of degraded and clean."""
    reader = ShardReader(finished.store.root)

    def restore(row, lq):
        gt = read_pictures(reader, row)["gt"]
        return ((gt.astype(int) + lq) // 2).astype(np.uint8)

    return restore


@pytest.fixture(scope="session")
def scores(finished, halfway, tmp_path_factory):
    """psnr and ssim of all pairs."""
    root = finished.store.root
    return score_pairs(
        root,
        select_pairs(root),
        halfway,
        open_metrics(["psnr", "ssim"]),
        scratch=tmp_path_factory.mktemp("scratch"),
    )


@pytest.fixture(scope="session")
def summary(scores):
    """Its rows, the dataset called `a_set`."""
    directions = {"psnr": False, "ssim": False}
    return summarise("a_set", scores, directions, bootstrap=Bootstrap(resamples=200))
