"""One evaluation: opens what is judged, scores every dataset, writes what came out."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import torch

from gends.jobs.console.alive import alive
from gends.jobs.console.count import Count
from gends.jobs.evaluation.files import check_free, write_evaluation
from gends.jobs.evaluation.judged import Judged, open_judged
from gends.jobs.evaluation.notes import notes
from gends.jobs.evaluation.settings import Settings
from gends.jobs.evaluation.sources import check_sources
from gends.jobs.training.inputs import device_of, source_of
from gends.models.metrics.catalog import Metrics, open_metrics
from gends.pipeline.evaluation.groups import check_edges
from gends.pipeline.evaluation.markdown import to_markdown
from gends.pipeline.evaluation.pairs import names_of, select_pairs
from gends.pipeline.evaluation.score import Scores, score_pairs
from gends.pipeline.evaluation.summary import Bootstrap, summarise


def evaluate(settings: Settings) -> str:
    """Evaluate, write under `out` if that is given, and return the tables in Markdown.

    Raises:
        SharedSourcesError: photographs of the data were trained on.
        ValueError: what is judged, a dataset, a metric or the edges cannot be used.
        PairError: a pair is damaged.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    # 1. What can be refused is refused before anything is computed.
    check_free(settings.out, overwrite=settings.overwrite)
    check_edges(settings.edges)
    with alive("opening the datasets and what is judged"):
        roots = names_of(settings.data)
        rows = {name: _select(root, settings) for name, root in roots.items()}
        _check_degradations(rows, settings)
        device = device_of(settings.device)
        judged = open_judged(settings, roots, rows, device)
        sources = check_sources(settings, judged)
        metrics = _open_metrics(settings, device)
    # 2. Every pair.
    with tempfile.TemporaryDirectory(prefix="gends-") as scratch:
        scores = _score(roots, rows, judged, metrics, device=device, scratch=Path(scratch))
        with alive("summing up"):
            summary = _summarise(scores, metrics, settings)
    # 3. What came out.
    told = list(notes(settings, scores, metrics, sources))
    if settings.out is not None:
        facts = {
            **judged.facts,
            "data": {name: {"root": str(root), **source_of(root)} for name, root in roots.items()},
            "sources": sources,
            "metrics": metrics.origins,
            "missing": metrics.missing,
            "degradations": settings.degradations,
            "split": settings.split,
            "limit": settings.limit,
            "severities": settings.edges,
            "resamples": settings.resamples,
            "seed": settings.seed,
            "device": device,
        }
        write_evaluation(settings.out, scores, summary, told, facts)
    return to_markdown(summary, told)


def _select(root: str, settings: Settings) -> pa.Table:
    return select_pairs(
        root, degradations=settings.degradations, split=settings.split, limit=settings.limit
    )


def _check_degradations(rows: Mapping[str, pa.Table], settings: Settings) -> None:
    there = {name for table in rows.values() for name in table["degradation"].unique().to_pylist()}
    if lacking := sorted(set(settings.degradations or ()) - there):
        raise ValueError(f"{', '.join(settings.data)}: no pair with degradation {lacking}")


def _open_metrics(settings: Settings, device: str) -> Metrics:
    metrics = open_metrics(settings.metrics, lpips_weights=settings.lpips_weights, device=device)
    if not metrics.origins:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in metrics.missing.items())
        raise ValueError(f"no metric can be computed: {reasons or 'none was asked for'}")
    return metrics


def _score(
    roots: Mapping[str, str],
    rows: Mapping[str, pa.Table],
    judged: Judged,
    metrics: Metrics,
    *,
    device: str,
    scratch: Path,
) -> dict[str, Scores]:
    scores: dict[str, Scores] = {}
    with Count("pairs", sum(map(len, rows.values()))) as count:
        for number, (name, root) in enumerate(roots.items()):
            folder = scratch / str(number)
            folder.mkdir()
            scores[name] = score_pairs(
                root,
                rows[name],
                judged.restore(name),
                metrics,
                scratch=folder,
                device=device,
                on_pair=count.step,
            )
    return scores


def _summarise(scores: Mapping[str, Scores], metrics: Metrics, settings: Settings) -> pa.Table:
    directions: dict[str, bool] = {m.name: m.lower_is_better for m in metrics.single}
    if metrics.features is not None:
        directions["fid"] = True
    asked = [name for name in dict.fromkeys(settings.metrics) if name in directions]
    bootstrap = Bootstrap(resamples=settings.resamples, seed=settings.seed)
    return pa.concat_tables(
        summarise(
            name,
            found,
            {metric: directions[metric] for metric in asked},
            edges=settings.edges,
            bootstrap=bootstrap,
        )
        for name, found in scores.items()
    )
