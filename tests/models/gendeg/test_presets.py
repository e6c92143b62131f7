from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModel

from gends.models.degrader import Instruction
from gends.models.gendeg.engine import GenDegDegrader
from gends.models.gendeg.instruction.tokenizer import build_tokenizer, phrase_words
from gends.models.gendeg.model import GenDeg
from gends.models.gendeg.network import build_autoencoder, build_conditioner, build_unet
from gends.models.gendeg.presets import GENDEG_MINI, GENDEG_SD15, find_preset
from gends.models.gendeg.sampling.settings import SamplingSettings


def millions(module: torch.nn.Module) -> float:
    return sum(p.numel() for p in module.parameters()) / 1e6


def test_sizes_of_stable_diffusion_on_the_meta_device():
    with torch.device("meta"):
        unet = build_unet(GENDEG_SD15)
        autoencoder = build_autoencoder(GENDEG_SD15)
        text_encoder = CLIPTextModel(CLIPTextConfig(**GENDEG_SD15.text_encoder))
        conditioner = build_conditioner(GENDEG_SD15)
    # 859.52 M of Stable Diffusion 1.5, and 4 more input channels of 320 filters of 3 x 3
    assert millions(unet) * 1e6 == 859_520_964 + 4 * 320 * 9
    assert millions(autoencoder) == pytest.approx(83.65, abs=0.01)
    assert millions(text_encoder) == pytest.approx(123.06, abs=0.01)
    assert millions(conditioner) * 1e6 == 129 * 77 + 77 + 770 * 768 + 768
    assert unet.conv_in.weight.shape == (320, 8, 3, 3)


@pytest.mark.parametrize("size", [(16, 16), (32, 32), (17, 23)])
def test_mini_takes_latents_of_any_size(size: tuple[int, int]):
    channels = GENDEG_MINI.autoencoder[1]["latent_channels"]
    with torch.device("meta"):
        unet = build_unet(GENDEG_MINI)
        latents = torch.empty(2, 2 * channels, *size)
        predicted = unet(latents, torch.empty(2), torch.empty(2, 16, 128)).sample
    assert predicted.shape == (2, channels, *size)


def test_unknown_preset_names_the_known():
    with pytest.raises(ValueError, match=r"gendeg-sd21.*gendeg-sd15, gendeg-mini"):
        find_preset("gendeg-sd21")


def test_the_full_size_needs_clips_tokenizer():
    with pytest.raises(ValueError, match="tokenizer of CLIP"):
        GenDeg.build("gendeg-sd15", seed=0)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_full_size_generates_at_low_resolution(tmp_path: Path):
    tokenizer = build_tokenizer(phrase_words(), tmp_path, length=77)
    model = GenDeg.build(GENDEG_SD15, seed=0, tokenizer=tokenizer)
    sampling = SamplingSettings(steps=1, text_guidance=7.5, image_guidance=1.5)
    clean = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    instruction = Instruction(
        degradation="rain", mu=0.1, sigma=0.1, seed=1, caption="a street with people"
    )
    (result,) = GenDegDegrader(model, sampling=sampling).degrade([clean], [[instruction]])[0]
    assert result.lq.shape == result.gt.shape == clean.shape
    assert result.lq.std() > 1
    assert not np.array_equal(result.lq, result.gt)
