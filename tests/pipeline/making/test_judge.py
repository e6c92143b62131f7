from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from gends.histograms.severity import measure
from gends.models.degrader import Degraded
from gends.pipeline.making import judge as judging
from gends.pipeline.making.carry_out import Pair
from gends.pipeline.making.judge import Judge
from gends.pipeline.making.load import cut
from gends.pipeline.planning.config import BuildConfig, ConfigError, FilterConfig
from gends.pipeline.types import Request, Step


@pytest.fixture(scope="module")
def clean(photographs):
    photo = Pillow.fromarray(photographs["coffee"])
    return cut(photo, None, BuildConfig(resolution=96))


def request(mu: float) -> Request:
    return Request(
        key="k",
        degradation="haze",
        recipes=((Step(op="haze", engine="gendeg", mu=mu, sigma=0.1),),),
        seeds=(0,),
    )


def pair(lq, gt, asked: float) -> Pair:
    degraded = Degraded(lq=lq, gt=gt, target_kind="clean", scm_applied=False)
    step = {"op": "haze", "mu": measure(lq, gt).mu, "mu_target": asked}
    return Pair(lq=lq, gt=gt, steps=(step,), painted=(("haze", degraded),))


def veiled(clean, mu: float):
    """Fog of exactly this thickness: a constant mix with white."""
    share = mu / measure(np.full_like(clean, 255), clean).mu
    return (clean + (255.0 - clean) * share).round().astype(np.uint8)


@pytest.mark.parametrize("mu", [0.01, 0.05, 0.15, 0.28])
def test_a_pair_as_requested_is_accepted(clean, mu):
    verdict = Judge(FilterConfig())(request(mu), pair(veiled(clean, mu), clean, mu))
    assert (verdict.reason, verdict.detail) == (None, None)
    assert verdict.severity == measure(veiled(clean, mu), clean)
    assert verdict.metrics["structure"] > 0.9
    assert verdict == Judge(FilterConfig())(request(mu), pair(veiled(clean, mu), clean, mu))


@pytest.mark.parametrize(
    ("asked", "made", "reason", "detail"),
    [
        (0.002, 0.002, "mu_low", "0.00"),
        (0.3, 0.3, "mu_high", "> 0.2850"),
        (0.01, 0.15, "mu_mismatch", "> 0.0550"),
        (0.25, 0.05, "mu_mismatch", "< 0.0700"),
        (0.5, 0.2, None, None),
    ],
)
def test_bounds_on_mu(clean, asked, made, reason, detail):
    verdict = Judge(FilterConfig())(request(asked), pair(veiled(clean, made), clean, asked))
    assert verdict.reason == reason
    assert detail is None or detail in verdict.detail


def test_a_pair_without_its_structure_is_rejected(clean):
    upside_down = np.ascontiguousarray(clean[::-1])
    asked = request(measure(upside_down, clean).mu)
    verdict = Judge(FilterConfig(mu_max=1))(asked, pair(upside_down, clean, asked.only_step.mu))
    assert verdict.reason == "structure"
    assert verdict.detail == f"{verdict.metrics['structure']:.4f} < 0.4000"
    off = FilterConfig(mu_max=1, structure_min=-1)
    assert Judge(off)(asked, pair(upside_down, clean, asked.only_step.mu)).reason is None


def test_a_pair_with_blotches_of_colour_is_rejected(clean):
    rng = np.random.default_rng(0)
    blotches = rng.normal(0, 60, (12, 12, 3)).repeat(8, 0).repeat(8, 1)
    lq = np.clip(clean + blotches, 0, 255).astype(np.uint8)
    asked = request(measure(lq, clean).mu)
    verdict = Judge(FilterConfig())(asked, pair(lq, clean, asked.only_step.mu))
    assert verdict.reason == "stray_colour"
    assert verdict.detail == f"{verdict.metrics['stray_colour']:.4f} > 0.0500"
    off = FilterConfig(stray_colour_max=99)
    assert Judge(off)(asked, pair(lq, clean, asked.only_step.mu)).reason is None


@dataclass
class Fixed:
    """A metric that always says the same."""

    score: float
    metric_mode: str = "NR"

    def __call__(self, *images: torch.Tensor) -> torch.Tensor:
        assert len(images) == (2 if self.metric_mode == "FR" else 1)
        assert all(i.shape == (1, 3, 96, 96) and 0 <= i.min() <= i.max() <= 1 for i in images)
        return torch.tensor([[self.score]])


@pytest.mark.parametrize("mode", ["FR", "NR"])
@pytest.mark.parametrize(
    ("score", "bounds", "reason", "detail"),
    [
        (20.0, (10.0, 30.0), None, None),
        (5.0, (10.0, None), "fixed", "5.0000 < 10.0000"),
        (50.0, (None, 30.0), "fixed", "50.0000 > 30.0000"),
        (float("nan"), (10.0, None), "fixed", "nan < 10.0000"),
        (float("nan"), (None, 30.0), "fixed", "nan > 30.0000"),
        (float("nan"), (None, None), None, None),
        (float("inf"), (10.0, None), None, None),
    ],
)
def test_metrics_and_their_bounds(monkeypatch, clean, score, bounds, reason, detail, mode):
    monkeypatch.setattr(judging, "_pyiqa_metric", lambda name: Fixed(score, mode))
    judge = Judge(FilterConfig(metrics={"fixed": bounds}))
    verdict = judge(request(0.1), pair(veiled(clean, 0.1), clean, 0.1))
    assert (verdict.reason, verdict.detail) == (reason, detail)
    assert verdict.metrics["fixed"] == pytest.approx(score, nan_ok=True)


def test_metrics_without_pyiqa_are_an_error_that_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    with pytest.raises(ConfigError, match=r"'psnr', which needs pyiqa: install gends\[quality\]"):
        Judge(FilterConfig(metrics={"psnr": (10, None)}))
    assert Judge(FilterConfig()).config == FilterConfig()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_real_metrics_of_pyiqa(clean):
    pytest.importorskip("pyiqa")
    with pytest.raises(ConfigError, match="no metric 'nqe'; did you mean 'niqe'"):
        Judge(FilterConfig(metrics={"nqe": (None, 5)}))
    with pytest.raises(ConfigError, match="pyiqa knows no metric 'beauty'"):
        Judge(FilterConfig(metrics={"beauty": (1, None)}))
    judge = Judge(FilterConfig(metrics={"psnr": (25.0, None)}))
    lq = veiled(clean, 0.15)
    verdict = judge(request(0.15), pair(lq, clean, 0.15))
    expected = 10 * np.log10(1 / np.mean(((lq / 255.0) - (clean / 255.0)) ** 2))
    assert verdict.metrics["psnr"] == pytest.approx(expected, abs=0.01)
    assert verdict.reason == "psnr"
