from __future__ import annotations

import pytest
import torch
from torch import nn

from gends.models.metrics.psnr import psnr_each
from gends.models.training.objectives.restorer import restorer_loss


@pytest.fixture
def pair():
    random = torch.Generator().manual_seed(0)
    gt = torch.rand(2, 3, 16, 16, generator=random)
    return gt, gt + torch.tensor([0.02, 0.2])[:, None, None, None] * torch.randn(
        gt.shape, generator=random
    )


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
    assert figures["psnr"].item() == pytest.approx(psnr_each(restorer(lq), gt).mean().item())
    assert not figures["psnr"].requires_grad
