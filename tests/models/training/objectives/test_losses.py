import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from gends.models.training.objectives.losses import LOSSES, l1_loss, psnr_loss


def pair(seed=0, count=3):
    generator = torch.Generator().manual_seed(seed)
    gt = torch.rand(count, 3, 12, 10, generator=generator)
    strength = torch.tensor([0.01, 0.1, 0.3]).view(-1, 1, 1, 1)[:count]
    return gt + strength * torch.randn(gt.shape, generator=generator), gt


def test_the_psnr_loss_is_minus_the_psnr_of_each_image_averaged():
    restored, gt = pair()
    psnrs = [
        peak_signal_noise_ratio(g.numpy(), r.numpy(), data_range=1)
        for r, g in zip(restored, gt, strict=True)
    ]
    assert psnr_loss(restored, gt).item() == pytest.approx(-np.mean(psnrs), rel=1e-3)


def test_the_psnr_loss_ends_at_80_db():
    _, gt = pair()
    assert psnr_loss(gt, gt).item() == pytest.approx(-80)


def test_l1_is_the_mean_absolute_error():
    restored, gt = pair()
    assert l1_loss(restored, gt).item() == pytest.approx(
        float(np.abs(restored.numpy() - gt.numpy()).mean()), rel=1e-5
    )


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_float32_and_finite_where_nothing_is_wrong(name):
    _, gt = pair()
    restored = gt.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        loss = LOSSES[name](restored, gt)
        low = LOSSES[name](restored.bfloat16(), gt)
    assert loss.dtype == low.dtype == torch.float32
    loss.backward()
    assert restored.grad.isfinite().all()
