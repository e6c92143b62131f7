"""The quality filter: which generated pairs are fit to train on, and why the others are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gends.histograms.severity import Severity, measure
from gends.models.degrader import Image
from gends.models.pixels import to_unit_tensor
from gends.pipeline.making.carry_out import Pair
from gends.pipeline.making.stray_colour import stray_colour
from gends.pipeline.making.structure import structure_score
from gends.pipeline.names import nearest
from gends.pipeline.planning.config import ConfigError, FilterConfig
from gends.pipeline.types import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was measured on a pair, and what is wrong with it, if anything."""

    severity: Severity
    metrics: dict[str, float]
    reason: str | None = None
    """Code of the first bound that was broken; None when the pair is accepted."""
    detail: str | None = None


class Judge:
    """Measures pairs and holds them against the configured bounds."""

    def __init__(self, config: FilterConfig) -> None:
        """Prepare the metrics that the configuration names.

        Raises:
            ConfigError: a pyiqa metric is asked for and pyiqa is missing or does not know it.
        """
        self.config = config
        self._metrics = {name: _pyiqa_metric(name) for name in sorted(config.metrics)}

    def __call__(self, request: Request, pair: Pair) -> Verdict:
        """Judge one pair; a pure function of pair, request and configuration."""
        severity = measure(pair.lq, pair.gt)
        metrics = {"structure": structure_score(pair.lq, pair.gt)}
        painted = _painted(request, pair)
        if painted:  # formulas add the colours that they say: water, moiré, noise of a sensor
            metrics["stray_colour"] = max(stray_colour(*one) for one in painted)
        metrics |= {name: _score(metric, pair) for name, metric in self._metrics.items()}
        broken = self._broken_bound(severity, metrics) or self._missed_step(pair)
        reason, detail = broken or (None, None)
        return Verdict(severity=severity, metrics=metrics, reason=reason, detail=detail)

    def _broken_bound(
        self, severity: Severity, metrics: dict[str, float]
    ) -> tuple[str, str] | None:
        bounds = self.config
        checks = [
            ("mu_low", severity.mu, bounds.mu_min, None),
            ("mu_high", severity.mu, None, bounds.mu_max),
            ("structure", metrics["structure"], bounds.structure_min, None),
            ("stray_colour", metrics.get("stray_colour", 0.0), None, bounds.stray_colour_max),
        ]
        checks += [(name, metrics[name], *bounds.metrics[name]) for name in self._metrics]
        return next(filter(None, (_broken(*check) for check in checks)), None)

    def _missed_step(self, pair: Pair) -> tuple[str, str] | None:
        """The first step that is far from the severity that was asked for."""
        bounds = self.config
        for step in pair.steps:
            if "mu_target" not in step:
                continue
            most = bounds.mu_ratio * step["mu_target"] + bounds.mu_slack
            least = step["mu_target"] / bounds.mu_ratio - bounds.mu_slack
            broken = _broken("mu_mismatch", step["mu"], least, most)
            if broken is not None:
                reason, detail = broken
                return reason, f"{step['op']}: {detail}" if len(pair.steps) > 1 else detail
        return None


def _painted(request: Request, pair: Pair) -> list[tuple[Image, Image, str]]:
    """Output, target and kind of every step that a model has painted."""
    if request.only_step is not None and pair.painted:
        return [(pair.lq, pair.gt, request.only_step.op)]  # as stored
    return [(one.lq, one.gt, op) for op, one in pair.painted]


def _broken(
    reason: str, value: float, low: float | None, high: float | None
) -> tuple[str, str] | None:
    # Written so that a NaN breaks its bound.
    if low is not None and not value >= low:
        return reason, f"{value:.4f} < {low:.4f}"
    if high is not None and not value <= high:
        return reason, f"{value:.4f} > {high:.4f}"
    return None


def _pyiqa_metric(name: str) -> Any:
    try:
        import pyiqa  # noqa: PLC0415  optional, and slow to import
    except ImportError as error:
        raise ConfigError(
            f"filter.metrics names {name!r}, which needs pyiqa: install gends[quality] "
            "(pyiqa's licence allows non-commercial use only) or remove the metric"
        ) from error
    if name not in pyiqa.list_models():
        hint = nearest(name, pyiqa.list_models()) or "see pyiqa.list_models()"
        raise ConfigError(f"filter.metrics: pyiqa knows no metric {name!r}; {hint}")
    try:
        return pyiqa.create_metric(name, device="cpu")
    except OSError as error:
        raise ConfigError(
            f"filter.metrics: the weights of {name!r} cannot be had ({error}); fetch them once "
            "where there is a network, or remove the metric"
        ) from error


def _score(metric: Any, pair: Pair) -> float:
    import torch  # noqa: PLC0415  only reached when pyiqa is in use

    with torch.inference_mode():
        if metric.metric_mode == "FR":
            return float(metric(to_unit_tensor(pair.lq), to_unit_tensor(pair.gt)))
        return float(metric(to_unit_tensor(pair.lq)))
