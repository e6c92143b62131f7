import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from gends.models.restorers.architectures import ARCHITECTURES, create, load, save
from gends.models.restorers.hyperparameters import HYPERPARAMETERS

EVERY = pytest.mark.parametrize("arch", ARCHITECTURES)
WEIGHTS = "diffusion_pytorch_model.safetensors"


@EVERY
def test_weights_are_a_function_of_the_seed(arch):
    before = torch.random.get_rng_state()
    first, again, other = (create(arch, "tiny", seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@EVERY
def test_every_parameter_gets_a_gradient(arch, fill, image):
    restorer = fill(create(arch, "tiny", 0)).train()
    restorer(image(64, 64)).square().mean().backward()
    idle = [n for n, p in restorer.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


@EVERY
def test_it_learns(arch):
    """To lighten a picture that is too dark by a constant."""
    restorer = create(arch, "tiny", 0).train()
    generator = torch.Generator().manual_seed(0)
    gt = torch.rand(2, 3, 16, 16, generator=generator) * 0.5 + 0.5
    lq = gt - 0.3
    optimizer = torch.optim.AdamW(restorer.parameters(), 3e-3)
    for _ in range(20):
        loss = (restorer(lq) - gt).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.15


@EVERY
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_lower_precision_gives_nearly_the_same(arch, dtype, image):
    restorer = create(arch, "tiny", 0).eval()
    if arch == "swin":  # which is the identity until it is trained
        torch.nn.init.normal_(restorer.head.weight, std=0.05, generator=torch.Generator())
    x = image(40, 48)
    with torch.inference_mode():
        expected = restorer(x)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = restorer(x)
        half = restorer.to(dtype)(x.to(dtype))
    assert half.dtype == dtype
    for found in (mixed, half):
        torch.testing.assert_close(found.float(), expected, atol=0.05, rtol=0.05)


@EVERY
def test_gradients_are_finite_under_autocast(arch, image):
    restorer = create(arch, "tiny", 0).train()
    with torch.autocast("cpu", torch.bfloat16):
        loss = (restorer(image(32, 32)) - image(32, 32, seed=1)).abs().mean()
    loss.backward()
    assert all(p.grad.isfinite().all() for p in restorer.parameters())


@EVERY
def test_saved_and_loaded_it_is_the_same(arch, fill, image, tmp_path):
    restorer = fill(create(arch, "tiny", 0))
    save(restorer, tmp_path / "a")
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["config.json", WEIGHTS]
    loaded = load(tmp_path / "a")
    assert type(loaded) is type(restorer)
    assert not loaded.training
    wanted, found = restorer.state_dict(), loaded.state_dict()
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[key], found[key]) for key in wanted)
    x = image(33, 40)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(x), restorer(x))
    save(loaded, tmp_path / "b")
    for name in ("config.json", WEIGHTS):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def change(folder, edit):
    tensors = load_file(folder / WEIGHTS)
    edit(tensors)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def test_weights_that_do_not_fit_are_refused_by_name(tmp_path):
    save(create("nafnet", "tiny", 0), tmp_path)
    change(tmp_path, lambda t: t.pop("intro.bias"))
    with pytest.raises(ValueError, match=r"missing_keys.*intro\.bias"):
        load(tmp_path)
    save(create("nafnet", "tiny", 0), tmp_path)
    change(tmp_path, lambda t: t.update(surplus=torch.zeros(1)))
    with pytest.raises(ValueError, match=r"unexpected_keys.*surplus"):
        load(tmp_path)
    save(create("nafnet", "tiny", 0), tmp_path)
    change(tmp_path, lambda t: t.update({"intro.bias": torch.zeros(17)}))
    with pytest.raises(ValueError, match=r"intro\.bias"):
        load(tmp_path)


def test_folders_without_a_restorer_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"holds no restorer.*config\.json"):
        load(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ValueError, match="holds no restorer"):
        load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"_class_name": "system"}))
    with pytest.raises(ValueError, match=r"'system' is no restorer.*NAFNet"):
        load(tmp_path)


def test_unknown_names_say_what_may_be_given():
    with pytest.raises(ValueError, match=r"no restorer 'unet'.*nafnet"):
        create("unet", "tiny", 0)
    with pytest.raises(ValueError, match=r"nafnet has no preset 'huge'.*w32"):
        create("nafnet", "huge", 0)
    with pytest.raises(ValueError, match="no pretrained encoder"):
        create("promptir", "tiny", 0, pretrained=True)
    with pytest.raises(ValueError, match="no ImageNet weights"):
        create("swin", "tiny", 0, pretrained=True)


def test_every_preset_has_hyperparameters():
    assert set(HYPERPARAMETERS) == {
        (arch, preset) for arch, (_, presets) in ARCHITECTURES.items() for preset in presets
    }
