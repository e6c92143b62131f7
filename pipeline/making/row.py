"""The manifest row of one request, whatever became of it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from blake3 import blake3

from gends.pipeline.format.manifest import SCHEMA, Row, float32
from gends.pipeline.making.judge import Verdict
from gends.pipeline.making.pack import Packed
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.types import Failure, Request, View

BYTES = ("gt_bytes", "lq_bytes")
"""What a row carries beside the manifest's columns until its shard is sealed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the last attempt at a request came to."""

    attempt: int
    source_blake3: str
    packed: Packed
    verdict: Verdict


def failed_row(
    shard: int, view: View, request: Request, config: BuildConfig, failure: Failure
) -> Row:
    """Row of a request that could not be carried out."""
    row = _blank() | planned_row(shard, view, request, config)
    row |= {
        "status": "failed",
        "reason": failure.code,
        "detail": failure.detail,
        "source_blake3": failure.blake3,
        "attempt": 0,
        "seed": request.seeds[0],
    }
    return row


def judged_row(
    shard: int, view: View, request: Request, config: BuildConfig, outcome: Outcome
) -> Row:
    """Row of a pair that was made; an accepted one carries its encoded images."""
    row = _blank() | planned_row(shard, view, request, config)
    packed, verdict = outcome.packed, outcome.verdict
    pair = packed.pair
    height, width, _ = pair.lq.shape
    row |= {
        "status": "accepted" if verdict.reason is None else "rejected",
        "reason": verdict.reason,
        "detail": verdict.detail or pair.note,
        "source_blake3": outcome.source_blake3,
        "attempt": outcome.attempt,
        "seed": request.seeds[outcome.attempt],
        "target_kind": pair.target_kind,
        "scm_applied": pair.scm_applied,
        "mu": float32(verdict.severity.mu),
        "sigma": float32(verdict.severity.sigma),
        "recipe": json.dumps([pair.step], sort_keys=True) if pair.step else None,
        "width": width,
        "height": height,
        "metrics": sorted((name, float32(value)) for name, value in verdict.metrics.items()),
    }
    if verdict.reason is None:
        row |= {
            "gt_bytes": packed.gt_bytes,
            "lq_bytes": packed.lq_bytes,
            "gt_blake3": blake3(packed.gt_bytes).hexdigest(),
            "lq_blake3": blake3(packed.lq_bytes).hexdigest(),
        }
    return row


def _blank() -> Row:
    return dict.fromkeys((*SCHEMA.names, *BYTES))


def planned_row(shard: int, view: View, request: Request, config: BuildConfig) -> Row:
    """The columns of a request's row that follow from the plan, whatever became of it."""
    clean = view.clean
    return {
        "key": request.key,
        "shard": shard,
        "origin": "generated",
        "source_id": clean.source_id,
        "source_uri": clean.uri,
        "source_dataset": clean.dataset,
        "source_degradation": clean.degradation,
        "split": clean.split,
        "degradation": request.degradation,
        "engine": config.engine,
        "mu_target": float32(request.mu),
        "sigma_target": float32(request.sigma),
        "severity_dataset": request.severity_dataset,
        "random_sampled": request.random_sampled,
        "caption": clean.caption,
    }
