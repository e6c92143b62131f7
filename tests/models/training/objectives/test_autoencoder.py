import pytest
import torch

from gends.models.autoencoder import PatchAutoencoder
from gends.models.training.objectives.autoencoder import (
    autoencoder_loss,
    build_optimizer,
    initialize,
)


def small(latent_channels=12):
    torch.manual_seed(0)
    return PatchAutoencoder(latent_channels, 8, 12, (1, 1))


def photographs(count=4, size=64, seed=0):
    """Smooth colour fields with some noise: neighbouring pixels agree, as in photographs."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, size // 8, size // 8, generator=generator) * 2 - 1
    smooth = torch.nn.functional.interpolate(coarse, size=size, mode="bicubic")
    noise = torch.randn(count, 3, size, size, generator=generator)
    return (smooth + 0.02 * noise).clamp(-1, 1)


def batches():
    return [photographs(seed=seed) for seed in range(4)]


def psnr(model, x):
    with torch.no_grad():
        return float(autoencoder_loss(model, x)[1]["psnr"])


def test_initialized_latents_are_half_whitened():
    model = small()
    initialize(model, batches())
    with torch.no_grad():
        z = torch.cat([model.encode(x) for x in batches()]).movedim(1, -1).flatten(0, 2)
        deviations = z.std(0, correction=0)
        filters = model.synthesis.weight.flatten(1).norm(dim=1)
    torch.testing.assert_close(z.mean(0), torch.zeros(12), atol=1e-3, rtol=0)
    torch.testing.assert_close(z.square().mean(), torch.tensor(1.0), atol=0.02, rtol=0)
    # in the image a component's deviation is that of its latent times its filter: the square
    torch.testing.assert_close(deviations / deviations[0], filters / filters[0], rtol=0.02, atol=0)


def test_initialized_pair_reconstructs_and_more_channels_do_so_better():
    x = photographs(seed=9)
    found = []
    for channels in (3, 12, 24):
        model = small(channels)
        initialize(model, batches())
        found.append(psnr(model, x))
    assert found == sorted(found)
    assert found[-1] > found[0] + 5


def test_initialize_is_deterministic():
    first, second = small(), small()
    initialize(first, batches())
    initialize(second, iter(batches()))
    assert torch.equal(first.analysis.weight, second.analysis.weight)


@pytest.mark.parametrize("given", [[], [torch.zeros(2, 3, 16, 16)]])
def test_initialize_refuses_what_holds_too_little(given):
    with pytest.raises(ValueError, match="images"):
        initialize(small(), given)


def test_loss_measures_the_error():
    model = small()
    with torch.no_grad():
        for layer in (model.analysis, model.synthesis):
            layer.weight.zero_()
            layer.bias.zero_()
    x = torch.full((2, 3, 16, 16), 0.5)
    loss, metrics = autoencoder_loss(model, x)
    assert loss.item() == pytest.approx(0.5, abs=1e-3)
    assert float(metrics["psnr"]) == pytest.approx(12.04, abs=0.01)


def test_training_improves_on_the_linear_pair_and_leaves_it_alone():
    model = small(4)
    initialize(model, batches())
    optimizer = build_optimizer(model, 2e-3)
    linear = model.analysis.weight.clone()
    before = psnr(model, photographs(seed=9))
    for step in range(60):
        optimizer.zero_grad()
        autoencoder_loss(model, batches()[step % 4])[0].backward()
        optimizer.step()
    assert torch.equal(model.analysis.weight, linear)
    assert psnr(model, photographs(seed=9)) > before + 0.3
