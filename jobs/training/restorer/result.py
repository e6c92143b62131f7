"""The folder that a restorer's training ends with: weights, what they were trained on, a card."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from torch import nn

from gends._version import __version__
from gends.jobs.training.restorer.settings import RestorerSettings
from gends.jobs.training.trained_on import RECORD, History, TrainingData
from gends.models.files.erase import erase
from gends.models.restorers.architectures import Restorer, save

VALIDATIONS = "validation.jsonl"
"""Figures of every validation of a run, beside its checkpoints."""


def write_result(
    restorer: nn.Module, settings: RestorerSettings, identity: Mapping[str, Any]
) -> None:
    """Write the result's folder whole, in place of what an earlier end of the same run left."""
    partial = settings.folder / ".partial-result"
    erase(partial)
    save(cast(Restorer, restorer), partial)
    facts = {
        "gends": __version__,
        "parameters": sum(parameter.numel() for parameter in restorer.parameters()),
        "trained_on": _history(settings, identity).to_json(),
        "run": dict(identity),
        "validation": _last_line(settings.folder / VALIDATIONS),
    }
    (partial / RECORD).write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", "utf-8")
    (partial / "README.md").write_text(card(facts), encoding="utf-8")
    erase(settings.result)
    partial.rename(settings.result)


def _history(settings: RestorerSettings, identity: Mapping[str, Any]) -> History:
    data = settings.data
    return settings.history.then(
        TrainingData(root=root, split=data.split, source=identity["data"][str(number)])
        for number, root in enumerate(data.all_roots)
    )


def card(facts: Mapping[str, Any]) -> str:
    """A model card of a result's facts, in Markdown."""
    run = facts["run"]
    return "\n".join(
        [
            f"# {run['arch']} {run['preset']}",
            "",
            f"A restorer of {facts['parameters']:,} parameters, trained by gends {facts['gends']}: "
            "RGB in [0, 1], (N, 3, H, W), to the same shape, any size.",
            "",
            "## Data",
            "",
            *_data(facts),
            "",
            "## Training",
            "",
            *(f"* {line}" for line in _settings(run)),
            "",
            "## Figures",
            "",
            *_figures(facts["validation"]),
            "",
        ]
    )


def _data(facts: Mapping[str, Any]) -> list[str]:
    run, trained_on = facts["run"], facts["trained_on"]
    mix = "all pairs alike" if run["mix"] is None else f"mixed by {run['mix']}"
    lines = [
        f"Degradations {_words(run['degradations'])}, {mix}.",
        "",
        "| dataset | split | digest of its shards |",
        "|---|---|---|",
    ]
    for data in trained_on["data"]:
        split = data["split"] or "all"
        lines.append(f"| {data['root']} | {split} | `{data['source']['shards'][:16]}` |")
    if before := len(trained_on["data"]) - len(run["data"]):
        lines += ["", f"It went on from weights that were trained on the first {before} of them."]
    if trained_on["unknown"]:
        unknown = f"{trained_on['unknown']} has no record of what that was trained on."
        lines += ["", f"The first weights were those of a model: {unknown}"]
    return lines


def _words(values: Iterable[str] | None) -> str:
    return "all" if values is None else ", ".join(values)


def _settings(run: Mapping[str, Any]) -> Iterable[str]:
    values = run["hyperparameters"]
    yield (
        f"{values['steps']} steps of {values['batch_size']} crops of {values['crop']} pixels, seed "
        f"{run['seed']}, {'bfloat16' if run['bf16'] else 'float32'}"
    )
    ema = f"averaged with decay {values['ema_decay']}" if values["ema_decay"] else "not averaged"
    yield f"{values['loss']} loss, AdamW at {values['rate']:g}; weights {ema}"
    said = ("steps", "batch_size", "crop", "loss", "rate", "ema_decay")
    yield ", ".join(f"{name} {value}" for name, value in values.items() if name not in said)


def _figures(figures: Mapping[str, Any] | None) -> list[str]:
    if figures is None:
        return ["It was not validated."]
    lines = [
        "PSNR in dB on pairs of photographs that it was not trained on, at step "
        f"{figures['step']}.",
        "",
        "| degradation | pairs | degraded | restored |",
        "|---|---|---|---|",
    ]
    for name, value in figures["psnr"].items():
        pairs, before = figures["pairs"][name], figures["psnr_lq"][name]
        lines.append(f"| {name} | {pairs} | {before:.2f} | {value:.2f} |")
    return lines


def _last_line(path: Path) -> Any:
    if not path.exists():
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    return json.loads(lines[-1]) if lines else None
