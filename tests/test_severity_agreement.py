"""One definition of severity, in numpy and in torch."""

import numpy as np
import pytest

from gends.histograms.severity import measure

torch = pytest.importorskip("torch")
twin = pytest.importorskip("gends.models.severity")


def batch(images):
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def pairs():
    rng = np.random.default_rng(0)
    gts = rng.integers(0, 256, (4, 40, 56, 3), dtype=np.uint8)
    noise = rng.normal(0, 1, gts.shape) * np.array([0, 1, 20, 200]).reshape(4, 1, 1, 1)
    return (gts + noise).clip(0, 255).astype(np.uint8), gts


def test_bytes_agree():
    lqs, gts = pairs()
    mu, sigma = twin.measure(batch(lqs), batch(gts))
    wanted = [measure(lq, gt) for lq, gt in zip(lqs, gts, strict=True)]
    assert mu.tolist() == pytest.approx([severity.mu for severity in wanted], abs=1e-6)
    assert sigma.tolist() == pytest.approx([severity.sigma for severity in wanted], abs=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_agree(dtype):
    lqs, gts = ((images / 255).astype(dtype) for images in pairs())
    mu, sigma = twin.measure(batch(lqs), batch(gts))
    wanted = [measure(lq, gt) for lq, gt in zip(lqs, gts, strict=True)]
    assert mu.tolist() == pytest.approx([severity.mu for severity in wanted], abs=1e-6)
    assert sigma.tolist() == pytest.approx([severity.sigma for severity in wanted], abs=1e-6)
