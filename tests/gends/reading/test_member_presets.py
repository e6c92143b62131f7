from __future__ import annotations

import numpy as np
import pytest
import torch

from gends import Augment, PairDataset, PairLoader, PairStream
from gends.models.parametric.catalog import OPERATIONS
from gends.pipeline.export.vocabulary import DACLIP_WORDS, PROMPTIR_IDS

MOVED = Augment(crop=48, flip=True, rotate=True)


@pytest.fixture(scope="module")
def root(mixed):
    return mixed.store.root


@pytest.fixture(scope="module")
def plain(root):
    return PairDataset(root, members=["mask", "bits", "ground", "ground_lq"])[2]


def channels_first(picture: np.ndarray) -> np.ndarray:
    return picture.transpose(2, 0, 1).astype(np.float32)


def test_abair(root, plain):
    item = PairDataset(root, preset="abair")[2]
    assert item.keys() == {"lq", "gt", "mask", "key", "degradation", "steps"}
    assert np.allclose(item["lq"].numpy(), channels_first(plain["lq"]) / 255)
    assert item["mask"].dtype == torch.int64  # as a loss for classes takes it
    assert np.array_equal(item["mask"].numpy(), plain["mask"])
    scores = torch.zeros(1, 27, *item["mask"].shape)
    loss = torch.nn.functional.cross_entropy(scores, item["mask"][None], ignore_index=255)
    assert loss == pytest.approx(np.log(27), rel=1e-5)
    assert PairDataset(root, preset="abair", members=["bits"])[2]["bits"].dtype == torch.int64


def test_defusion(root, plain):
    item = PairDataset(root, preset="defusion")[2]
    for part in ("lq", "gt", "ground", "ground_lq"):
        assert np.allclose(item[part].numpy(), channels_first(plain[part]) / 127.5 - 1, atol=1e-6)
    residual = channels_first(plain["ground_lq"]) - channels_first(plain["ground"])
    assert item["instruction"].shape == (3, 224, 224)
    assert np.allclose(item["instruction"].numpy(), residual / 127.5, atol=1e-6)
    assert item["instruction"].abs().max() > 0
    assert "mask" not in item


def test_diffrestorer(root, plain):
    item = PairDataset(root, preset="diffrestorer")[2]
    sorted_labels = ["raindrop", "regions", "weather"]
    assert item["label"] == sorted_labels.index(plain["degradation"])
    assert np.allclose(item["gt"].numpy(), channels_first(plain["gt"]) / 127.5 - 1, atol=1e-6)
    assert item["lq_clip"].shape == (3, 224, 224)
    # The numbers do not depend on which pairs were chosen.
    for label in sorted_labels:
        (number,) = {
            i["label"] for i in PairDataset(root, preset="diffrestorer", degradations=[label])
        }
        assert number == sorted_labels.index(label)
    given = ["noise", "weather", "regions", "raindrop"]
    found = PairDataset(root, preset="diffrestorer", labels=given)
    assert {(i["degradation"], i["label"]) for i in found} == {
        (label, given.index(label)) for label in sorted_labels
    }


def test_labels_that_do_not_go(root):
    with pytest.raises(ValueError, match="weather"):
        PairDataset(root, preset="diffrestorer", labels=["raindrop", "regions"])
    for labels in ([], ["a", "a"], "raindrop"):
        with pytest.raises(ValueError, match="labels must be"):
            PairDataset(root, preset="diffrestorer", labels=labels)


@pytest.mark.parametrize("preset", ["abair", "defusion", "diffrestorer"])
def test_batches_are_the_items(root, preset):
    stream = PairStream(root, seed=4, preset=preset, augment=MOVED)
    items = {item["key"]: item for item in stream}
    stream.set_epoch(0)
    for batch in PairLoader(stream, batch_size=5):
        for number, key in enumerate(batch["key"]):
            for name, value in items[key].items():
                if isinstance(value, torch.Tensor):
                    assert torch.equal(batch[name][number], value)
                else:
                    assert batch[name][number] == value


def test_members_are_added_to_other_presets(root, plain):
    item = PairDataset(root, preset="diffplugin", members=["ground", "mask"])[2]
    assert np.allclose(item["ground"].numpy(), channels_first(plain["ground"]) / 127.5 - 1)
    item = PairDataset(root, preset="basicsr", members=["ground"])[2]
    assert np.allclose(item["ground"].numpy(), channels_first(plain["ground"]) / 255)
    with pytest.raises(ValueError, match="'promptir' have no place"):
        PairDataset(root, preset="promptir", members=["mask"])


def test_presets_say_what_the_build_lacks(finished):
    with pytest.raises(ValueError, match=r"no pair has a ground_lq|no pair has a ground:"):
        PairDataset(finished.store.root, preset="defusion")


def test_numbers_and_words_of_operations():
    assert set(OPERATIONS) <= PROMPTIR_IDS.keys()
    assert len(set(PROMPTIR_IDS.values())) == len(PROMPTIR_IDS)
    assert DACLIP_WORDS.keys() <= set(OPERATIONS)


def test_a_mixture_of_one_step_has_the_word_of_its_step(root):
    drops = PairDataset(root, preset="daclip", degradations=["raindrop"])
    assert drops[0]["type"] == "raindrop"
    with pytest.raises(
        ValueError, match=r"DA-CLIP has no word for the degradation 'weather'.*degradations="
    ):
        PairDataset(root, preset="daclip", degradations=["weather"])[0]
