from __future__ import annotations

import pytest

from gends.models.metrics.metric import MissingMetricError
from gends.models.metrics.psnr import psnr
from gends.models.metrics.pyiqa_metrics import open_pyiqa
from gends.models.metrics.ssim import ssim

pytest.importorskip("pyiqa")


@pytest.mark.parametrize("name", ["noisy", "blurred", "dark"])
def test_our_own_metrics_agree_with_pyiqa(clean, worse, tensor, name):
    pictures = tensor(worse[name]), tensor(clean)
    # pyiqa adds 1e-8 to the squared error.
    assert open_pyiqa("psnr").score(*pictures) == pytest.approx(psnr(*pictures), abs=1e-3)
    # Its ssim is of luma; ssimc is of all channels.
    assert open_pyiqa("ssimc").score(*pictures) == pytest.approx(ssim(*pictures), abs=1e-4)


def test_direction_and_reference_are_pyiqas(clean, worse, tensor):
    similarity, distance, alone = map(open_pyiqa, ("fsim", "mad", "entropy"))
    pictures = tensor(worse["noisy"]), tensor(clean)
    assert similarity.score(*pictures) < similarity.score(pictures[1], pictures[1])
    assert not similarity.lower_is_better
    assert distance.lower_is_better
    assert alone.score(pictures[0], pictures[1]) == alone.score(pictures[0], pictures[0])
    assert similarity.origin.startswith("pyiqa ")


def test_weights_out_of_reach_are_a_missing_metric(monkeypatch, tmp_path):
    import pyiqa  # noqa: PLC0415

    monkeypatch.setattr(pyiqa.utils.download_util, "DEFAULT_CACHE_DIR", str(tmp_path))
    # A port that nobody listens on stands for a hub that cannot be reached.
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(MissingMetricError, match="pyiqa could not open it"):
        open_pyiqa("niqe")


def test_a_name_that_nobody_knows_is_an_error():
    with pytest.raises(ValueError, match="no metric 'beauty'"):
        open_pyiqa("beauty")
