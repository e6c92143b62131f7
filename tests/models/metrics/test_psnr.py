from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from gends.models.metrics.psnr import MOST_PSNR, psnr, psnr_each


@pytest.mark.parametrize("name", ["noisy", "blurred", "dark", "negative"])
def test_agrees_with_scikit_image(clean, worse, tensor, name):
    ours = psnr(tensor(worse[name]), tensor(clean))
    assert ours == pytest.approx(peak_signal_noise_ratio(clean, worse[name]), abs=1e-5)


def test_one_tenth_off_everywhere_is_20_db():
    assert psnr(torch.full((1, 3, 4, 4), 0.6), torch.full((1, 3, 4, 4), 0.5)) == pytest.approx(20)


def test_equal_pictures_are_finite(clean, worse, tensor):
    assert psnr(tensor(worse["same"]), tensor(clean)) == MOST_PSNR
    nearly = tensor(clean).double()
    nearly[0, 0, 0, 0] += 1e-6
    assert psnr(nearly, tensor(clean)) == MOST_PSNR


def test_pictures_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="differ"):
        psnr(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 1))


def test_each_picture_has_its_own_clamped_as_a_stored_one():
    random = torch.Generator().manual_seed(0)
    gt = torch.rand(2, 3, 16, 16, generator=random)
    noise = torch.randn(gt.shape, generator=random)
    restored = gt + torch.tensor([0.02, 0.2])[:, None, None, None] * noise
    expected = [
        peak_signal_noise_ratio(a.numpy(), b.clamp(0, 1).numpy(), data_range=1.0)
        for a, b in zip(gt, restored, strict=True)
    ]
    np.testing.assert_allclose(psnr_each(restored, gt).numpy(), expected, rtol=1e-5)
    assert psnr_each(gt, gt).tolist() == [MOST_PSNR, MOST_PSNR]
