import pytest
import torch
from torch.nn import functional as F

from gends.models.restorers.promptir import (
    PRESETS,
    UNUSED,
    ChannelAttention,
    Prompt,
    PromptIR,
    Resampling,
)

SMALL = {"blocks": (1, 1, 1, 1), "refinement_blocks": 1}


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_parameters_are_the_published_ones_less_the_unused():
    with torch.device("meta"):
        network = PromptIR()
    unused = 64 * 64 + 128 * 128 + 320 * 256 + (48 + 64) * 48 + (96 + 128) * 96 + (192 + 256) * 192
    assert round((count(network) + unused) / 1e6, 2) == 35.59
    assert len(UNUSED) == 6
    assert not UNUSED & network.state_dict().keys()


def test_without_its_prompts_it_has_the_size_of_restormer():
    """26.13 million parameters (Zamir et al., arXiv 2111.09881)."""
    with torch.device("meta"):
        network = PromptIR()
    prompts = ("prompt", "noise_level", "reduce_noise_level")
    backbone = sum(p.numel() for n, p in network.named_parameters() if not n.startswith(prompts))
    # Restormer starts its way up from 384 channels; mixing in a prompt has halved them before.
    wider = 9 * (384 * 768 - 192 * 384) + (384 - 288) * 192
    assert round((backbone + wider) / 1e6, 2) == 26.13


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("patch_embed.proj.weight", (48, 3, 3, 3)),
        ("encoder_level1.0.norm1.body.weight", (48,)),
        ("encoder_level1.0.attn.temperature", (1, 1, 1)),
        ("encoder_level2.0.attn.qkv.weight", (288, 96, 1, 1)),
        ("encoder_level2.0.attn.qkv_dwconv.weight", (288, 1, 3, 3)),
        ("encoder_level3.0.ffn.project_in.weight", (1020, 192, 1, 1)),
        ("encoder_level3.0.ffn.dwconv.weight", (1020, 1, 3, 3)),
        ("down3_4.body.0.weight", (96, 192, 3, 3)),
        ("latent.0.norm2.body.bias", (384,)),
        ("prompt3.prompt_param", (1, 5, 320, 16, 16)),
        ("prompt2.linear_layer.weight", (5, 192)),
        ("prompt1.conv3x3.weight", (64, 64, 3, 3)),
        ("noise_level3.attn.project_out.weight", (704, 704, 1, 1)),
        ("reduce_noise_level3.weight", (192, 704, 1, 1)),
        ("reduce_noise_level2.weight", (192, 320, 1, 1)),
        ("reduce_noise_level1.weight", (96, 160, 1, 1)),
        ("up4_3.body.0.weight", (384, 192, 3, 3)),
        ("up2_1.body.0.weight", (192, 96, 3, 3)),
        ("reduce_chan_level3.weight", (192, 288, 1, 1)),
        ("reduce_chan_level2.weight", (96, 192, 1, 1)),
        ("decoder_level1.0.ffn.project_out.weight", (96, 255, 1, 1)),
        ("refinement.0.attn.temperature", (1, 1, 1)),
        ("output.weight", (3, 96, 3, 3)),
    ],
)
def test_parameters_are_named_as_in_the_authors_checkpoints(key, shape):
    with torch.device("meta"):
        network = PromptIR(**SMALL)
    assert tuple(network.state_dict()[key].shape) == shape


def test_it_computes_what_the_authors_network_does(fill, image):
    """Reference values: the class of va1shn9v/PromptIR at 106159a, the same weights, float64."""
    network = fill(PromptIR(**SMALL).double())
    x = image(16, 24, dtype=torch.float64)
    with torch.inference_mode():
        change = network(x) - x
    found = [change.mean(), change.std(), *change[0, :, 8, 12]]
    expected = [0.136021, 0.748366, 1.33842, -0.746912, 1.107343]
    assert [float(value) for value in found] == pytest.approx(expected, abs=2e-6)


def test_channels_attend_within_their_head(fill):
    attention = fill(ChannelAttention(8, 2))
    x = torch.randn(2, 8, 5, 6, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        q, k, v = attention.qkv_dwconv(attention.qkv(x)).split(8, dim=1)
        expected = torch.empty_like(x)
        for n in range(2):
            for head in range(2):
                own = slice(4 * head, 4 * head + 4)
                rows = [part[n, own].flatten(1) for part in (q, k, v)]
                cosines = F.cosine_similarity(rows[0][:, None], rows[1][None], dim=-1)
                weights = torch.softmax(cosines * attention.temperature[head], dim=-1)
                expected[n, own] = (weights @ rows[2]).view(4, 5, 6)
        torch.testing.assert_close(attention(x), attention.project_out(expected))


def test_the_prompt_is_a_mixture_of_all(fill):
    prompt = fill(Prompt(6, width=3, length=4, size=5))
    x = torch.randn(2, 6, 9, 7, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        weights = prompt.linear_layer(x.flatten(2).mean(-1)).softmax(-1)
        mixed = sum(weights[:, i, None, None, None] * prompt.prompt_param[:, i] for i in range(4))
        expected = prompt.conv3x3(F.interpolate(mixed, (9, 7), mode="bilinear"))
        torch.testing.assert_close(prompt(x), expected)


def test_resampling_halves_and_doubles():
    x = torch.rand(1, 8, 4, 6)
    assert Resampling(8, up=False)(x).shape == (1, 16, 2, 3)
    assert Resampling(8, up=True)(x).shape == (1, 4, 8, 12)


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (1, 1), (5, 40)])
def test_any_size_is_taken(fill, image, size):
    network = fill(PromptIR(**PRESETS["tiny"]))
    x = image(*size)
    with torch.inference_mode():
        out = network(x)
    assert out.shape == x.shape
    assert out.isfinite().all()
    assert not torch.equal(out, x)


def test_padding_does_not_show_in_what_fits(fill, image):
    network = fill(PromptIR(**PRESETS["tiny"]))
    x = image(13, 19)
    with torch.inference_mode():
        mirrored = F.pad(x, (0, 5, 0, 3), mode="reflect")
        assert torch.equal(network(x), network(mirrored)[..., :13, :19])


def test_heads_must_divide_channels():
    with pytest.raises(ValueError, match="26 channels cannot be divided among 4 heads"):
        PromptIR(8, prompt_widths=(10, 32, 64))
