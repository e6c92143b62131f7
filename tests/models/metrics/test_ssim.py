from __future__ import annotations

import pytest
import torch
from skimage.metrics import structural_similarity

from gends.models.metrics.ssim import ssim


@pytest.mark.parametrize("name", ["noisy", "blurred", "dark", "negative"])
def test_agrees_with_scikit_image(clean, worse, tensor, name):
    theirs = structural_similarity(
        clean,
        worse[name],
        channel_axis=2,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(tensor(worse[name]), tensor(clean)) == pytest.approx(theirs, abs=1e-6)


def test_equal_pictures_are_1_and_negatives_below_0(clean, worse, tensor):
    assert ssim(tensor(worse["same"]), tensor(clean)) == pytest.approx(1, abs=1e-12)
    assert ssim(tensor(worse["negative"]), tensor(clean)) < 0


@pytest.mark.parametrize(
    ("sizes", "problem"),
    [(((12, 10), (12, 10)), "10x12 pixels; ssim needs 11x11"), (((12, 12), (12, 13)), "differ")],
)
def test_what_it_cannot_compare_is_refused(sizes, problem):
    with pytest.raises(ValueError, match=problem):
        ssim(*(torch.zeros(1, 3, *size) for size in sizes))
