"""The manifest row of one request, whatever became of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from blake3 import blake3

from gends.pipeline.format.manifest import PARTS, SCHEMA, Row, float32
from gends.pipeline.making.carry_out import Pair
from gends.pipeline.making.judge import Verdict
from gends.pipeline.making.pack import Packed
from gends.pipeline.types import Failure, Request, Step, View

BYTES = tuple(f"{part}_bytes" for part in PARTS)
"""What a row carries beside the manifest's columns until its shard is sealed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the last attempt at a request came to."""

    attempt: int
    source_blake3: str
    packed: Packed
    verdict: Verdict


def failed_row(shard: int, view: View, request: Request, failure: Failure) -> Row:
    """Row of a request that could not be carried out."""
    row = _blank() | planned_row(shard, view, request)
    row |= {
        "status": "failed",
        "reason": failure.code,
        "detail": failure.detail,
        "source_blake3": failure.blake3,
        "attempt": 0,
        "seed": request.seeds[0],
    }
    return row


def judged_row(shard: int, view: View, request: Request, outcome: Outcome) -> Row:
    """Row of a pair that was made; an accepted one carries its encoded images."""
    row = _blank() | planned_row(shard, view, request)
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
        "recipe": _recipe(request, pair),
        "width": width,
        "height": height,
        "metrics": sorted((name, float32(value)) for name, value in verdict.metrics.items()),
    }
    if verdict.reason is None:
        for part, data in packed.encoded().items():
            row |= {f"{part}_bytes": data, f"{part}_blake3": blake3(data).hexdigest()}
    return row


def _recipe(request: Request, pair: Pair) -> str:
    """All that was done, as JSON: {steps: […], regions: {…}}; see `carry_out.recorded`."""
    recipe: dict[str, Any] = {"steps": pair.steps}
    if request.regions is not None:
        recipe["regions"] = asdict(request.regions)
    return json.dumps(recipe, sort_keys=True)


def _view(view: View) -> str | None:
    """How the clean picture was cut and moved, as JSON; None: as all others."""
    facts = {**(asdict(view.crop) if view.crop else {}), **(asdict(view.move) if view.move else {})}
    return json.dumps(facts, sort_keys=True) if facts else None


def _blank() -> Row:
    return dict.fromkeys((*SCHEMA.names, *BYTES))


def planned_row(shard: int, view: View, request: Request) -> Row:
    """The columns of a request's row that follow from the plan, whatever became of it."""
    clean, step = view.clean, request.only_step
    asked = Step(op="", engine="") if step is None else step
    return {
        "key": request.key,
        "shard": shard,
        "origin": "generated",
        "source_id": clean.source_id,
        "source_uri": clean.uri,
        "source_dataset": clean.dataset,
        "source_degradation": clean.degradation,
        "split": clean.split,
        "view": _view(view),
        "degradation": request.degradation,
        "steps": request.steps,
        "engine": request.engine,
        "mu_target": None if asked.mu is None else float32(asked.mu),
        "sigma_target": None if asked.sigma is None else float32(asked.sigma),
        "severity_dataset": asked.severity_dataset,
        "random_sampled": asked.random_sampled,
        "caption": clean.caption,
    }
