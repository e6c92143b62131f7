"""What has to be known to read the tables of an evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow.compute as pc

from gends.jobs.evaluation.settings import Settings
from gends.models.metrics.catalog import Metrics
from gends.pipeline.evaluation.bootstrap import CONFIDENCE, FEWEST
from gends.pipeline.evaluation.score import Scores


def notes(
    settings: Settings, scores: Mapping[str, Scores], metrics: Metrics, sources: str
) -> Iterator[str]:
    """One sentence or two each; what is missing is among them, and why."""
    yield f"Judged: {settings.judged}."
    for name, found in scores.items():
        photographs = pc.count_distinct(found.table["source_id"]).as_py()
        yield f"{name}: {len(found.table)} pairs of {photographs} photographs."
    yield sources
    yield (
        "degraded is the input as it is, restored what became of it, gain the second minus the "
        f"first, pair by pair. Figures are means; in brackets {CONFIDENCE:.0%} bootstrap intervals "
        f"over photographs ({settings.resamples} resamples, seed {settings.seed}), "
        f"given from {FEWEST} photographs on."
    )
    yield "Restored pictures are rounded to 8 bits first. PSNR and SSIM are of RGB."
    if metrics.features is not None:
        yield (
            "FID compares with the clean pictures of the same pairs. It falls with the number of "
            "pictures: compare it between equal sets only. It is no mean and has no interval."
        )
    for name, reason in metrics.missing.items():
        yield f"{name.upper()} is missing: {reason}."
    for data, found in scores.items():
        for name, failures in found.failures.items():
            yield (
                f"{name.upper()} gave no number for {failures.count} pictures of {data}, whose "
                f"pairs do not count for it; first {failures.first}."
            )
