from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from torch.utils.data import default_collate

from gends import PairDataset, PairLoader, PairStream
from gends.pipeline.export.vocabulary import DACLIP_WORDS
from gends.reading.presets import CLIP_MEAN, CLIP_STD, PRESETS, PROMPTIR_IDS, clip_view


@pytest.fixture(scope="module")
def root(finished):
    return finished.store.root


@pytest.fixture(scope="module")
def plain(root):
    return PairDataset(root)[7]


def unit(picture: np.ndarray) -> np.ndarray:
    return picture.transpose(2, 0, 1).astype(np.float32) / 255


def test_tensor(root, plain):
    item = PairDataset(root, preset="tensor")[7]
    assert item.keys() == {"lq", "gt", "key", "degradation", "steps", "mu", "sigma"}
    for part in ("lq", "gt"):
        assert item[part].dtype == torch.float32
        assert np.array_equal(item[part].numpy(), unit(plain[part]))
    assert (item["key"], item["mu"]) == (plain["key"], plain["mu"])


def test_basicsr(root, plain):
    item = PairDataset(root, preset="basicsr")[7]
    assert item.keys() == {"lq", "gt", "lq_path", "gt_path"}
    assert np.array_equal(item["gt"].numpy(), unit(plain["gt"]))
    assert item["lq_path"].startswith(f"{root}/shards/0000")
    assert item["lq_path"].endswith(f".tar/{plain['key']}.lq.png")
    assert item["gt_path"] == item["lq_path"].replace(".lq.png", ".gt.png")


def test_promptir(root, plain):
    (name, number), lq, gt = PairDataset(root, preset="promptir")[7]
    assert (name, number) == (plain["key"], PROMPTIR_IDS[plain["degradation"]])
    assert np.array_equal(lq.numpy(), unit(plain["lq"]))
    assert np.array_equal(gt.numpy(), unit(plain["gt"]))


def test_daclip(root, plain):
    item = PairDataset(root, preset="daclip")[7]
    assert item.keys() == {"GT", "LQ", "LQ_clip", "type", "GT_path"}
    assert np.array_equal(item["LQ"].numpy(), unit(plain["lq"]))
    assert item["type"] == DACLIP_WORDS[plain["degradation"]]
    assert item["LQ_clip"].shape == (3, 224, 224)
    resized = Pillow.fromarray(plain["lq"]).resize((224, 224), Pillow.Resampling.BICUBIC)
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (CLIP_MEAN, CLIP_STD))
    expected = (unit(np.asarray(resized)) - mean) / std
    assert np.abs(item["LQ_clip"].numpy() - expected).max() < 1e-5


def test_the_clip_view_is_the_middle_of_the_longer_side(photographs):
    picture = photographs["coffee"]  # 400x600
    view = clip_view(picture)
    assert view.shape == (224, 224, 3)
    whole = Pillow.fromarray(picture).resize((336, 224), Pillow.Resampling.BICUBIC)
    assert np.array_equal(view, np.asarray(whole)[:, 56 : 56 + 224])
    upright = clip_view(picture.transpose(1, 0, 2)).transpose(1, 0, 2)
    assert np.abs(upright.astype(int) - view).mean() < 0.5  # rounded after each direction
    assert np.array_equal(clip_view(view), view)


def test_diffplugin(root, plain):
    item = PairDataset(root, preset="diffplugin")[7]
    assert item.keys() == {"pixel_values", "conditioning_pixel_values"}
    expected = plain["gt"].transpose(2, 0, 1) / 127.5 - 1
    assert np.abs(item["pixel_values"].numpy() - expected).max() < 1e-6
    assert item["conditioning_pixel_values"].min() >= -1


@pytest.mark.parametrize("preset", [name for name in PRESETS if not PRESETS[name].members])
def test_batches_are_what_torch_makes_of_items(root, preset):
    stream = PairStream(root, preset=preset, seed=6)
    expected = default_collate(list(stream)[:5])
    stream.set_epoch(0)
    found = next(iter(PairLoader(stream, batch_size=5)))
    _same(found, expected)


def _same(found, expected) -> None:
    if not isinstance(expected, torch.Tensor) or expected.dtype != torch.float64:
        assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            _same(found[name], value)
    elif isinstance(expected, torch.Tensor):
        found = torch.as_tensor(found)
        assert torch.allclose(found.double(), expected.double(), atol=1e-6)
    elif isinstance(expected, list | tuple) and not isinstance(expected[0], str):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            _same(one, other)
    else:
        assert list(found) == list(expected)


def test_words_that_there_are_not(root):
    with pytest.raises(ValueError, match=r"no preset 'edsr'; there are plain, tensor, basicsr"):
        PairDataset(root, preset="edsr")
    item = {
        "degradation": "fog",
        "steps": "haze+rain",
        "key": "a",
        "lq": torch.zeros(3, 1, 1),
        "gt": torch.zeros(3, 1, 1),
    }
    with pytest.raises(ValueError, match="PromptIR has no word for the degradation 'fog'"):
        PRESETS["promptir"].shape(item)
