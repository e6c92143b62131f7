"""The quality filter: which generated pairs are fit to train on, and why the others are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gends.histograms.severity import Severity, measure
from gends.models.degrader import Degraded
from gends.models.pixels import to_unit_tensor
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

    def __call__(self, request: Request, pair: Degraded) -> Verdict:
        """Judge one pair; a pure function of pair, request and configuration."""
        severity = measure(pair.lq, pair.gt)
        metrics = {
            "structure": structure_score(pair.lq, pair.gt),
            "stray_colour": stray_colour(pair.lq, pair.gt, request.degradation),
        }
        metrics |= {name: _score(metric, pair) for name, metric in self._metrics.items()}
        broken = self._broken_bound(request, severity, metrics)
        reason, detail = broken or (None, None)
        return Verdict(severity=severity, metrics=metrics, reason=reason, detail=detail)

    def _broken_bound(
        self, request: Request, severity: Severity, metrics: dict[str, float]
    ) -> tuple[str, str] | None:
        bounds = self.config
        most = bounds.mu_ratio * request.mu + bounds.mu_slack
        least = request.mu / bounds.mu_ratio - bounds.mu_slack
        checks = [
            ("mu_low", severity.mu, bounds.mu_min, None),
            ("mu_high", severity.mu, None, bounds.mu_max),
            ("mu_mismatch", severity.mu, least, most),
            ("structure", metrics["structure"], bounds.structure_min, None),
            ("stray_colour", metrics["stray_colour"], None, bounds.stray_colour_max),
        ]
        checks += [(name, metrics[name], *bounds.metrics[name]) for name in self._metrics]
        for reason, value, low, high in checks:
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


def _score(metric: Any, pair: Degraded) -> float:
    import torch  # noqa: PLC0415  only reached when pyiqa is in use

    with torch.inference_mode():
        if metric.metric_mode == "FR":
            return float(metric(to_unit_tensor(pair.lq), to_unit_tensor(pair.gt)))
        return float(metric(to_unit_tensor(pair.lq)))
