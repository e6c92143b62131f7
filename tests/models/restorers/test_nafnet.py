import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gends.models.restorers.nafnet import PRESETS, LayerNorm2d, NAFNet


def randomised(network):
    """The same network with no parameter left at its neutral start."""
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        shape = parameter.shape
        parameter.data = 0.3 * torch.randn(shape, generator=generator) / max(1, shape[-1])
    return network.eval()


@pytest.mark.parametrize(
    ("preset", "width", "encoder", "middle", "millions"),
    [
        ("w32-gopro", 32, (1, 1, 1, 28), 1, 17.11),
        ("w64-gopro", 64, (1, 1, 1, 28), 1, 67.89),
        ("w32", 32, (2, 2, 4, 8), 12, 29.16),
        ("w64", 64, (2, 2, 4, 8), 12, 115.98),
    ],
)
def test_published_parameter_counts(preset, width, encoder, middle, millions):
    with torch.device("meta"):
        network = NAFNet(**PRESETS[preset])
    assert network.config["width"] == width
    assert network.config["encoder_blocks"] == encoder
    # 7 c² + 33 c to a block; what leads down and up, and the ends, on top
    blocks = {width * 2**level: n + (2 if middle == 12 else 1) for level, n in enumerate(encoder)}
    blocks[16 * width] = middle
    formula = sum(n * (7 * c * c + 33 * c) for c, n in blocks.items())
    formula += sum(8 * c * c + 2 * c + 8 * c * c for c in list(blocks)[:-1])
    formula += 54 * width + width + 3
    count = sum(p.numel() for p in network.parameters())
    assert count == formula
    assert round(count / 1e6, 2) == millions


def test_it_computes_what_the_authors_network_does(fill, image):
    """Reference values: the class of megvii-research/NAFNet at 2b4af71, same weights, float64."""
    network = fill(NAFNet(8, (1, 2), 1, (1, 1)).double())
    x = image(12, 20, dtype=torch.float64)
    with torch.inference_mode():
        change = network(x) - x
    found = [change.mean(), change.std(), *change[0, :, 6, 10]]
    expected = [-0.521891, 2.387249, 2.614476, -2.053674, 0.054919]
    assert [float(value) for value in found] == pytest.approx(expected, abs=2e-6)


def test_parameters_are_named_as_in_the_authors_checkpoints():
    network = NAFNet(8, (1, 2), 1, (1, 1))
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    block = {
        "beta": (1, 16, 1, 1),
        "gamma": (1, 16, 1, 1),
        "norm1.weight": (16,),
        "norm1.bias": (16,),
        "norm2.weight": (16,),
        "norm2.bias": (16,),
        "conv1.weight": (32, 16, 1, 1),
        "conv1.bias": (32,),
        "conv2.weight": (32, 1, 3, 3),
        "conv2.bias": (32,),
        "sca.1.weight": (16, 16, 1, 1),
        "sca.1.bias": (16,),
        "conv3.weight": (16, 16, 1, 1),
        "conv3.bias": (16,),
        "conv4.weight": (32, 16, 1, 1),
        "conv4.bias": (32,),
        "conv5.weight": (16, 16, 1, 1),
        "conv5.bias": (16,),
    }
    prefix = "encoders.1.1."
    found = {k.removeprefix(prefix): v for k, v in shapes.items() if k.startswith(prefix)}
    assert found == block
    outside = {k: v for k, v in shapes.items() if k.count(".") < 3 and "middle" not in k}
    assert outside == {
        "intro.weight": (8, 3, 3, 3),
        "intro.bias": (8,),
        "ending.weight": (3, 8, 3, 3),
        "ending.bias": (3,),
        "downs.0.weight": (16, 8, 2, 2),
        "downs.0.bias": (16,),
        "downs.1.weight": (32, 16, 2, 2),
        "downs.1.bias": (32,),
    }
    assert shapes["ups.0.0.weight"] == (64, 32, 1, 1)
    assert shapes["ups.1.0.weight"] == (32, 16, 1, 1)
    assert "ups.0.0.bias" not in shapes
    assert {k.split(".")[0] for k in shapes} == {
        "intro", "ending", "encoders", "decoders", "middle_blks", "ups", "downs",
    }  # fmt: skip
    assert "middle_blks.0.beta" in shapes
    assert "decoders.1.0.conv5.bias" in shapes


def test_layer_norm_is_over_the_channels_of_each_pixel():
    x = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(1))
    norm = randomised(LayerNorm2d(5))
    mean = x.mean(1, keepdim=True)
    spread = (x.var(1, correction=0, keepdim=True) + 1e-6).sqrt()
    expected = (x - mean) / spread * norm.weight.view(1, 5, 1, 1) + norm.bias.view(1, 5, 1, 1)
    torch.testing.assert_close(norm(x), expected)


def test_blocks_are_the_identity_at_the_start():
    network = NAFNet(8, (2, 1), 3, (1, 1)).eval()
    x = torch.rand(1, 8, 9, 7, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        for blocks in (network.encoders[0], network.decoders[1]):
            assert torch.equal(blocks(x), x)


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (1, 1), (5, 64)])
def test_any_size_is_taken(size):
    network = randomised(NAFNet(8, (1, 1, 1), 1, (1, 1, 1)))
    image = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        out = network(image)
        padded = F.pad(image, (0, -size[1] % 8, 0, -size[0] % 8))
        assert torch.equal(out, network(padded)[..., : size[0], : size[1]])
    assert out.shape == image.shape
    assert out.isfinite().all()


def test_every_parameter_takes_part():
    network = randomised(NAFNet(4, (1, 1), 1, (1, 1))).train()
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(4))
    network(image).square().mean().backward()
    idle = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_the_global_residual_adds_the_input():
    with_it = randomised(NAFNet(4, (1,), 1, (1,)))
    without = NAFNet(4, (1,), 1, (1,), global_residual=False).eval()
    without.load_state_dict(with_it.state_dict())
    image = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        torch.testing.assert_close(with_it(image), without(image) + image)


def test_memory_layout_changes_nothing():
    network = randomised(NAFNet(8, (1, 1), 1, (1, 1)))
    image = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(6))
    with torch.inference_mode():
        plain = network(image)
        last = network.to(memory_format=torch.channels_last)(
            image.contiguous(memory_format=torch.channels_last)
        )
    torch.testing.assert_close(last, plain, rtol=1e-4, atol=1e-5)


def test_impossible_shapes_are_refused():
    with pytest.raises(ValueError, match="differ in length"):
        NAFNet(8, (1, 1), 1, (1,))
    with pytest.raises(ValueError, match="global_residual off"):
        NAFNet(8, (1,), 1, (1,), in_channels=6)
    assert isinstance(NAFNet(8, (1,), 1, (1,), in_channels=6, global_residual=False), nn.Module)
