from __future__ import annotations

import sys

import pytest

from gends.models.metrics.catalog import open_metrics
from gends.models.metrics.default import DEFAULT


def test_without_pyiqa_and_lpips_what_needs_them_is_named_and_the_rest_works(
    monkeypatch, clean, worse, tensor
):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    monkeypatch.setitem(sys.modules, "lpips", None)
    metrics = open_metrics(DEFAULT)
    assert [metric.name for metric in metrics.single] == ["psnr", "ssim"]
    assert metrics.features is None
    assert list(metrics.missing) == ["lpips", "dists", "fid", "niqe", "musiq", "clipiqa"]
    assert "pip install 'gends[lpips]'" in metrics.missing["lpips"]
    assert "non-commercial" in metrics.missing["fid"]
    assert list(metrics.origins) == ["psnr", "ssim"]
    for metric in metrics.single:
        assert not metric.lower_is_better
        assert metric.score(tensor(worse["noisy"]), tensor(clean)) < metric.score(
            tensor(clean), tensor(clean)
        )


def test_any_metric_of_pyiqa_may_be_asked_for_and_twice_is_once():
    pytest.importorskip("pyiqa")
    metrics = open_metrics(["gmsd", "psnr", "gmsd"])
    assert [metric.name for metric in metrics.single] == ["gmsd", "psnr"]
    assert metrics.single[0].lower_is_better
