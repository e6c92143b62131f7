import sys

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from gends.models.restorers import swin
from gends.models.restorers.architectures import create
from gends.models.restorers.swin import PRESETS, SwinRestorer

TIMM_NAME = "swin_tiny_patch4_window7_224"
SWIN_T = {"embed_dim": 96, "depths": (2, 2, 6, 2), "heads": (3, 6, 12, 24), "weights": TIMM_NAME}
DECODER = {"decoder_widths": (16, 16, 16, 8, 8)}


def tiny():
    return SwinRestorer(**PRESETS["tiny"])


def test_the_encoder_is_swin_b():
    """87.77 million parameters with its head (Liu et al., table 1: 88M), which restores nothing."""
    with torch.device("meta"):
        restorer = SwinRestorer()
    head = 1024 * 1000 + 1000 + 2 * 1024
    count = sum(p.numel() for p in restorer.encoder.parameters())
    assert round((count + head) / 1e6, 2) == 87.77
    assert restorer.config["weights"].startswith("swin_base_patch4_window7_224")


def test_the_decoder_joins_three_stages_and_ends_at_full_resolution():
    with torch.device("meta"):
        decoder = SwinRestorer().decoder
    convolutions = [(block[0].in_channels, block[0].out_channels) for block in decoder]
    assert convolutions == [(1024, 512), (1024, 256), (512, 128), (256, 64), (64, 32)]
    for block in decoder:
        kinds = [type(layer) for layer in block]
        assert kinds == [nn.Conv2d, nn.ReLU, nn.ConvTranspose2d, nn.ReLU]
        assert block[0].kernel_size == block[2].kernel_size == (3, 3)
        assert block[2].stride == (2, 2)


@pytest.mark.parametrize("size", [(32, 32), (33, 65), (1, 1), (200, 90)])
def test_it_is_the_identity_until_trained(image, size):
    x = image(*size)
    with torch.inference_mode():
        assert torch.equal(tiny().eval()(x), x)


@pytest.mark.parametrize("size", [(32, 32), (33, 65), (1, 1), (72, 40)])
def test_any_size_is_taken(fill, image, size):
    restorer = fill(tiny())
    x = image(*size)
    with torch.inference_mode():
        out = restorer(x)
    assert out.shape == x.shape
    assert out.isfinite().all()
    assert not torch.equal(out, x)


def test_all_stages_reach_the_output(fill, image):
    """What is taken from a stage's features changes what comes out."""
    restorer = fill(tiny())
    x = image(64, 64)
    with torch.inference_mode():
        whole = restorer(x)
        for norm in restorer.norms:
            weight, bias = norm.weight.data.clone(), norm.bias.data.clone()
            norm.weight.data.zero_()
            norm.bias.data.zero_()
            assert not torch.allclose(restorer(x), whole)
            norm.weight.data, norm.bias.data = weight, bias
        assert torch.equal(restorer(x), whole)


def test_nothing_is_drawn_while_it_trains(fill, image):
    restorer = fill(tiny()).train()
    x = image(64, 64)
    assert torch.equal(restorer(x), restorer(x))
    assert not [m for m in restorer.modules() if isinstance(m, nn.Dropout) and m.p > 0]


def test_the_encoder_takes_the_weights_of_timms_own_file(tmp_path, image):
    """Real classes with random weights: the hub is not asked where a file is given."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        published = timm.create_model(TIMM_NAME).eval()
    save_file(published.state_dict(), tmp_path / "swin.safetensors")
    restorer = SwinRestorer(**SWIN_T, **DECODER).eval()
    restorer.load_imagenet(tmp_path / "swin.safetensors")
    x = image(224, 224)
    with torch.inference_mode():
        expected = published.forward_intermediates(x, intermediates_only=True)
        found = restorer.encoder.forward_intermediates(x, intermediates_only=True)
    for stage, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(stage, wanted)


def test_weights_that_cannot_be_had_are_an_error(tmp_path):
    with pytest.raises(ValueError, match="train it from scratch"):
        tiny().load_imagenet()
    with torch.device("meta"):
        restorer = SwinRestorer(**SWIN_T, **DECODER)
    with pytest.raises(RuntimeError, match=r"absent\.safetensors"):
        restorer.load_imagenet(tmp_path / "absent.safetensors")


def test_the_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ImportError, match=r"gends\[train\]"):
        create("swin", "tiny", 0)


def test_impossible_shapes_are_refused():
    with pytest.raises(ValueError, match="four, four and five"):
        SwinRestorer(depths=(2, 2, 2))


def test_the_input_is_normalised_as_imagenet_is():
    assert swin.IMAGENET_MEAN == timm.data.IMAGENET_DEFAULT_MEAN
    assert swin.IMAGENET_DEVIATION == timm.data.IMAGENET_DEFAULT_STD
