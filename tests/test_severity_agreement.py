"""One definition of severity, wherever it is measured, and one of its bins."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gends.histograms.bins import MU_BINS, SIGMA_BINS
from gends.histograms.severity import measure
from gends.models import severity as twin
from gends.models.gendeg.instruction.conditioning import bin_index
from gends.models.parametric.solver import solve
from gends.models.training.objectives.latents import LatentCache


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


@pytest.mark.parametrize("index", range(4))
def test_what_the_formulas_aim_at_agrees(index):
    lq, gt = (images[index] for images in pairs())
    wanted = measure(lq, gt)
    photo = lq.astype(np.float32) / np.float32(255)
    found = solve(lambda strength: photo, gt, wanted.mu, tolerance=1e-9)
    assert (found.mu, found.sigma) == pytest.approx((wanted.mu, wanted.sigma), abs=1e-9)


def test_what_the_generator_is_trained_on_agrees(tmp_path):
    lqs, gts = pairs()
    cache = LatentCache.build(
        tmp_path / "cache",
        [(gt, lq, "haze") for lq, gt in zip(lqs, gts, strict=True)],
        lambda images: torch.nn.functional.avg_pool2d(images.float(), 8),
        {},
    )
    for row, (lq, gt) in enumerate(zip(lqs, gts, strict=True)):
        crop = np.s_[:40, 16:56]
        wanted = measure(lq[crop], gt[crop])
        found = cache.severity(row, top=0, left=2, crop=5)
        assert found == pytest.approx((wanted.mu, wanted.sigma), abs=1e-9)


@pytest.mark.parametrize("bins", [MU_BINS, SIGMA_BINS])
@given(value=st.floats(0, 1))
def test_bins_of_profiles_and_of_the_conditioning_agree(bins, value):
    assert bin_index(value, bins.high, bins.count) == bins.index(value)


@pytest.mark.parametrize("bins", [MU_BINS, SIGMA_BINS])
def test_edges_belong_to_the_same_bins(bins):
    near = [np.nextafter(edge, side) for edge in bins.edges for side in (0, edge, 1)]
    found = bin_index(near, bins.high, bins.count)
    assert found.tolist() == [bins.index(value) for value in near]
