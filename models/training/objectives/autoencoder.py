"""What one optimizer step of the bundled autoencoder does, and what comes before and after all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F

from gends.models.autoencoder import STRIDE, PatchAutoencoder
from gends.models.metrics.psnr import decibels

FLOOR = 1e-5
"""Added to squared errors under the root: the gradient stays finite where nothing is wrong."""


def initialize(autoencoder: PatchAutoencoder, batches: Iterable[Tensor]) -> None:
    """Set the linear pair to the half-whitened principal components of the 8×8 patches.

    The sign of a component is that of its largest entry: the result does not depend on the
    eigensolver.

    Args:
        autoencoder: Changed in place.
        batches: Images (N, 3, H, W) in [-1, 1], H and W multiples of 8.

    Raises:
        ValueError: no images, or fewer independent patches than latent channels.
    """
    patches = (F.unfold(x, STRIDE, stride=STRIDE).transpose(1, 2) for x in batches)
    mean, covariance = _moments(patch.flatten(0, 1) for patch in patches)
    variances, vectors = torch.linalg.eigh(covariance)
    count = autoencoder.analysis.out_channels
    variances, components = variances.flip(0)[:count], vectors.flip(1)[:, :count].T
    if variances[-1] <= 1e-8:
        raise ValueError(
            f"the images hold fewer than {count} independent patches, one per latent channel is "
            "needed; give more, and more varied, images"
        )
    largest = components.gather(1, components.abs().argmax(1, keepdim=True))
    components = components * largest.sign()
    # Components of deviation d become latents of deviation √d / √mean(d): overall variance 1.
    deviations = variances.sqrt()[:, None]
    scale = (deviations * deviations.mean()).sqrt()
    shape = autoencoder.analysis.weight.shape
    with torch.no_grad():
        autoencoder.analysis.weight.copy_((components / scale).view(shape))
        cast(Tensor, autoencoder.analysis.bias).copy_(-(components / scale) @ mean)
        autoencoder.synthesis.weight.copy_((components * scale).view(shape))
        # one bias per colour: what the mean patch has beyond its mean colour is left to the decoder
        cast(Tensor, autoencoder.synthesis.bias).copy_(mean.view(3, -1).mean(1))


def build_optimizer(autoencoder: PatchAutoencoder, rate: float) -> torch.optim.AdamW:
    """AdamW on the decoder's correction; the linear pair stays the transform that it is.

    Norm-free layers that start at zero do not bear rates like 2e-3.
    """
    for layer in (autoencoder.analysis, autoencoder.synthesis):
        layer.requires_grad_(False)
    parameters = autoencoder.decoder.parameters()
    return torch.optim.AdamW(parameters, rate, betas=(0.9, 0.99), weight_decay=0.01)


def autoencoder_loss(
    autoencoder: PatchAutoencoder, images: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Root mean squared error per image, averaged.

    The root counts an image's easy and hard regions together and lies nearer to PSNR than L1 does.

    Args:
        autoencoder: Called under the caller's autocast.
        images: (N, 3, H, W) in [-1, 1], H and W multiples of 8.

    Returns:
        The scalar loss, and the detached scalar `psnr` (dB, mean over images, not clamped).
    """
    error = autoencoder(images).float() - images
    squared = error.square().mean((1, 2, 3))
    psnr = decibels(squared.detach() / 4).mean()  # of a range of 2
    return (squared + FLOOR).sqrt().mean(), {"psnr": psnr}


def _moments(batches: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean (D,) and population covariance (D, D) of rows (n, D), in float64, one pass."""
    count, total, products = 0, torch.tensor(0.0), torch.tensor(0.0)
    for batch in batches:
        rows = batch.double()
        count += len(rows)
        total = total.to(rows) + rows.sum(0)
        products = products.to(rows) + rows.T @ rows
    if count == 0:
        raise ValueError("no images given: at least one batch is needed")
    mean = total / count
    return mean, products / count - torch.outer(mean, mean)
