from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio
from torch import nn

from gends.models.training.objectives.restorer import psnr, restorer_loss


@pytest.fixture
def pair():
    random = torch.Generator().manual_seed(0)
    gt = torch.rand(2, 3, 16, 16, generator=random)
    return gt, gt + torch.tensor([0.02, 0.2])[:, None, None, None] * torch.randn(
        gt.shape, generator=random
    )


def test_psnr_is_that_of_scikit_image(pair):
    gt, restored = pair
    expected = [
        peak_signal_noise_ratio(a.numpy(), b.clamp(0, 1).numpy(), data_range=1.0)
        for a, b in zip(gt, restored, strict=True)
    ]
    np.testing.assert_allclose(psnr(restored, gt).numpy(), expected, rtol=1e-5)
    assert psnr(gt, gt).tolist() == [100.0, 100.0]


def test_the_loss_compares_what_is_restored(pair):
    gt, lq = pair
    restorer = nn.Conv2d(3, 3, 1)
    seen = {}

    def criterion(restored, target):
        seen.update(restored=restored, target=target)
        return (restored - target).abs().mean()

    loss, figures = restorer_loss(restorer, criterion, {"lq": lq, "gt": gt})
    assert torch.equal(seen["restored"], restorer(lq))
    assert seen["target"] is gt
    loss.backward()
    assert restorer.weight.grad.abs().sum() > 0
    assert figures["psnr"].item() == pytest.approx(psnr(restorer(lq), gt).mean().item())
    assert not figures["psnr"].requires_grad
