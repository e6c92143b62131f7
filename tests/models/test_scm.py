import pytest
import torch

from gends.models.scm import PRESETS, StructureCorrection


def images(seed, size=(32, 40)):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, *size, generator=generator) * 2 - 1


@pytest.mark.parametrize(("name", "millions"), [("published", 115.98), ("width32", 29.16)])
def test_sizes_of_the_large_presets(name, millions):
    with torch.device("meta"):
        module = StructureCorrection.from_preset(name)
    assert round(sum(p.numel() for p in module.parameters()) / 1e6, 2) == millions


def test_the_mini_preset_is_small():
    count = sum(p.numel() for p in StructureCorrection.from_preset("mini").parameters())
    assert 1.0e6 <= count <= 1.5e6


def test_defaults_are_the_published_preset():
    with torch.device("meta"):
        default = StructureCorrection()
    assert {k: default.config[k] for k in PRESETS["published"]} == PRESETS["published"]


@pytest.mark.parametrize("size", [(32, 32), (33, 47)])
def test_it_is_the_identity_until_trained(size):
    module = StructureCorrection.from_preset("mini").eval()
    clean, generated = images(0, size), images(1, size)
    with torch.inference_mode():
        assert torch.equal(module(clean, generated), generated)


def test_it_learns_to_use_the_clean_image():
    """The generated image has lost its edges; only the clean one can give them back."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = StructureCorrection(
            width=8, encoder_blocks=(1,), middle_blocks=1, decoder_blocks=(1,)
        )
    optimizer = torch.optim.AdamW(module.parameters(), 3e-3)
    clean = images(2)
    lq = 0.5 * clean + 0.2
    generated = torch.full_like(clean, 0.2)
    first = (generated - lq).square().mean()
    for _ in range(60):
        loss = (module(clean, generated) - lq).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1 * first


def test_saved_and_loaded_it_is_the_same(tmp_path):
    module = StructureCorrection(
        width=8, encoder_blocks=(1, 1), middle_blocks=1, decoder_blocks=(1, 1)
    ).eval()
    generator = torch.Generator().manual_seed(3)
    for parameter in module.parameters():
        parameter.data = 0.1 * torch.randn(parameter.shape, generator=generator)
    module.save_pretrained(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "config.json",
        "diffusion_pytorch_model.safetensors",
    ]
    loaded = StructureCorrection.from_pretrained(tmp_path)
    clean, generated = images(4), images(5)
    with torch.inference_mode():
        expected = module(clean, generated)
        assert torch.equal(loaded(clean, generated), expected)
    assert not torch.equal(expected, generated)


def test_unknown_presets_are_refused():
    with pytest.raises(ValueError, match="choose from"):
        StructureCorrection.from_preset("tiny")
