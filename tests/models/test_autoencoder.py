import pytest
import torch
from diffusers import AutoencoderKL

from gends.models.autoencoder import (
    PatchAutoencoder,
    condition_latents,
    decode_latents,
    target_latents,
)


def small(**overrides):
    torch.manual_seed(0)
    options = {
        "latent_channels": 6,
        "fine_width": 8,
        "coarse_width": 12,
        "decoder_blocks": (1, 1),
    }
    return PatchAutoencoder(**{**options, **overrides}).eval().requires_grad_(False)


def images(count=2, height=32, width=48):
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture
def kl():
    torch.manual_seed(0)
    model = AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
        scaling_factor=0.5,
    )
    return model.eval().requires_grad_(False)


def test_shapes_and_stride():
    model = small()
    z = model.encode(images())
    assert z.shape == (2, 6, 4, 6)
    assert model.decode(z).shape == (2, 3, 32, 48)
    assert torch.equal(model(images()), model.decode(z))


@pytest.mark.parametrize(("height", "width"), [(33, 48), (32, 44), (7, 8)])
def test_refuses_sizes_off_the_grid(height, width):
    with pytest.raises(ValueError, match=f"{height}×{width}.*multiples of 8"):
        small().encode(images(1, height, width))


def test_starts_as_its_linear_pair():
    model, x = small(), images()
    assert torch.equal(model.encode(x), model.analysis(x))
    z = model.encode(x)
    assert torch.equal(model.decode(z), model.synthesis(z))


def test_default_size_fits_the_package():
    parameters = sum(p.numel() for p in PatchAutoencoder().parameters())
    assert parameters <= 5_000_000


def test_round_trip_through_a_folder(tmp_path):
    model = small()
    with torch.no_grad():
        model.decoder[-2].weight.normal_()
    model.save_pretrained(tmp_path)
    assert (tmp_path / "diffusion_pytorch_model.safetensors").exists()
    loaded = PatchAutoencoder.from_pretrained(tmp_path)
    assert loaded.config["latent_channels"] == 6
    assert torch.equal(loaded(images()), model(images()))


def test_views_of_ours_are_what_it_encodes():
    model, x = small(), images()
    z = target_latents(model, x)
    assert torch.equal(z, model.encode(x))
    assert torch.equal(condition_latents(model, x), z)
    assert torch.equal(decode_latents(model, z), model(x))


def test_views_of_stable_diffusions(kl):
    x = images(2, 32, 32)
    posterior = kl.encode(x).latent_dist
    assert torch.equal(condition_latents(kl, x), posterior.mode())
    z = target_latents(kl, x, torch.Generator().manual_seed(3))
    sample = posterior.sample(torch.Generator().manual_seed(3))
    torch.testing.assert_close(z, sample * 0.5)
    torch.testing.assert_close(decode_latents(kl, z), kl.decode(sample).sample)


def test_a_generator_per_image_makes_samples_independent_of_the_batch(kl):
    x = images(2, 32, 32)
    both = target_latents(kl, x, [torch.Generator().manual_seed(s) for s in (1, 2)])
    second = target_latents(kl, x[1:], [torch.Generator().manual_seed(2)])
    torch.testing.assert_close(both[1:], second, rtol=1e-4, atol=1e-5)
