import re

import pytest
import torch
from safetensors.torch import save_file

from gends.models.restorers.architectures import create
from gends.models.restorers.authors import load_published
from gends.models.restorers.promptir import UNUSED


@pytest.fixture
def nafnet(fill):
    return fill(create("nafnet", "tiny", 0))


@pytest.fixture
def promptir(fill):
    return fill(create("promptir", "tiny", 0))


def lightning(network, extra=()):
    """A checkpoint in the layout of PromptIR's authors."""
    tensors = {f"net.{key}": value for key, value in network.state_dict().items()}
    tensors |= {f"net.{key}": torch.zeros(3, 3, 1, 1) for key in extra}
    return {
        "epoch": 120,
        "pytorch-lightning_version": "2.0.1",
        "state_dict": tensors,
        "loops": {"fit_loop": {"state_dict": {}}},
        "optimizer_states": [{"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": []}],
    }


def same(first, second):
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_nafnets_layout_is_read(nafnet, tmp_path, prefix):
    params = {prefix + key: value for key, value in nafnet.state_dict().items()}
    torch.save({"params": params}, tmp_path / "nafnet.pth")
    loaded = load_published("nafnet", "tiny", tmp_path / "nafnet.pth")
    assert same(loaded, nafnet)
    assert not loaded.training


def test_promptirs_layout_is_read_and_the_unused_dropped(promptir, tmp_path):
    torch.save(lightning(promptir, UNUSED), tmp_path / "model.ckpt")
    assert same(load_published("promptir", "tiny", tmp_path / "model.ckpt"), promptir)


def test_safetensors_are_read(promptir, tmp_path):
    save_file(lightning(promptir, UNUSED)["state_dict"], tmp_path / "with.safetensors")
    save_file(promptir.state_dict(), tmp_path / "without.safetensors")
    for name in ("with", "without"):
        path = tmp_path / f"{name}.safetensors"
        assert same(load_published("promptir", "tiny", path), promptir)


def test_what_is_unused_elsewhere_is_unexpected(nafnet, tmp_path):
    (key, *_) = UNUSED
    torch.save({"params": nafnet.state_dict() | {key: torch.zeros(1)}}, tmp_path / "n.pth")
    with pytest.raises(ValueError, match=re.escape(f"unexpected: {key}")):
        load_published("nafnet", "tiny", tmp_path / "n.pth")


def test_every_key_that_does_not_fit_is_named(nafnet, tmp_path):
    params = nafnet.state_dict()
    del params["ending.bias"]
    params["surplus"] = torch.zeros(2)
    params["intro.bias"] = torch.zeros(5)
    torch.save({"params": params}, tmp_path / "n.pth")
    with pytest.raises(ValueError, match="does not fit nafnet 'tiny'") as caught:
        load_published("nafnet", "tiny", tmp_path / "n.pth")
    message = str(caught.value)
    assert "missing: ending.bias" in message
    assert "unexpected: surplus" in message
    assert "of another shape: intro.bias (5,) for (16,)" in message
    assert str(tmp_path / "n.pth") in message


def test_another_size_is_refused(nafnet, tmp_path):
    torch.save({"params": nafnet.state_dict()}, tmp_path / "n.pth")
    with pytest.raises(ValueError, match=r"missing: .* and \d+ more"):
        load_published("nafnet", "w32-gopro", tmp_path / "n.pth")


class Evil:
    def __reduce__(self):
        return print, ("run",)


def test_what_would_run_code_is_not_run(tmp_path, capsys):
    torch.save({"params": {}, "config": Evil()}, tmp_path / "n.pth")
    with pytest.raises(ValueError, match="convert its weights to safetensors"):
        load_published("nafnet", "tiny", tmp_path / "n.pth")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "contents", [[1], {"params": {}}, {"params": {"a": 1}}, {"epoch": 3}, torch.zeros(2)]
)
def test_a_file_without_weights_is_refused(tmp_path, contents):
    torch.save(contents, tmp_path / "n.pth")
    with pytest.raises(ValueError, match="holds no named tensors"):
        load_published("nafnet", "tiny", tmp_path / "n.pth")


def test_weights_that_no_network_can_have_are_refused(nafnet, tmp_path):
    for values in (torch.full((3,), torch.nan), torch.zeros(3, dtype=torch.int8)):
        torch.save({"params": nafnet.state_dict() | {"ending.bias": values}}, tmp_path / "n.pth")
        with pytest.raises(ValueError, match=r"no finite floating-point numbers: ending\.bias"):
            load_published("nafnet", "tiny", tmp_path / "n.pth")


@pytest.mark.parametrize("name", ["n.pth", "n.safetensors"])
def test_files_that_cannot_be_read_are_named(tmp_path, name):
    with pytest.raises(ValueError, match=re.escape(f"{name} cannot be read")):
        load_published("nafnet", "tiny", tmp_path / name)
    (tmp_path / name).write_text("not a checkpoint")
    with pytest.raises(ValueError, match=re.escape(name)):
        load_published("nafnet", "tiny", tmp_path / name)


def test_swin_has_no_published_weights(tmp_path):
    with pytest.raises(ValueError, match="no weights of 'swin' were published"):
        load_published("swin", "tiny", tmp_path / "s.pth")
