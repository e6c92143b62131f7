from __future__ import annotations

import json
import multiprocessing

import numpy as np
import pytest
import skimage.data
import torch

import gends
from gends.histograms.severity import measure
from gends.models.parametric import OPERATIONS, replay

WEATHER = {
    "name": "weather",
    "steps": [{"one_of": ["rain", "snow"]}, {"op": "haze", "level": [2, 5]}, "low_light"],
}


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.ascontiguousarray(skimage.data.astronaut()[100:228, 150:300])


def _digest(seed: int) -> bytes:
    picture = np.ascontiguousarray(skimage.data.astronaut()[100:228, 150:300])
    return gends.degrade(picture, WEATHER, seed).lq.tobytes()


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_every_operation_degrades_a_picture(name, picture):
    made = gends.degrade(picture, [name], 5)
    assert made.steps == name
    assert made.lq.shape == picture.shape
    assert made.lq.dtype == np.uint8
    assert measure(made.lq, picture).mu > 1e-3


def test_a_mixture_gives_what_its_recipe_says(picture):
    for seed in range(4):
        made = gends.degrade(picture, WEATHER, seed)
        again = picture
        for step in json.loads(json.dumps(made.recipe)):
            again = replay(step, again)
        np.testing.assert_array_equal(made.lq, again)
        assert made.steps.split("+") == [step["op"] for step in made.recipe]


def test_the_seed_alone_decides_in_any_process(picture):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(_digest, [1, 2]) == [_digest(1), _digest(2)]
    assert _digest(1) != _digest(2)


def test_numbers_are_not_rounded_and_are_bytes_but_for_that(picture):
    numbers = picture.astype(np.float32) / np.float32(255)
    mixture = ["haze", {"op": "noise", "sigma": 20, "is_quantized": False}]
    made = gends.degrade(numbers, mixture, 3)
    assert made.lq.dtype == np.float32
    assert len(np.unique(made.lq)) > 256
    of_bytes = gends.degrade(picture, mixture, 3)
    assert made.steps == of_bytes.steps
    assert np.abs(np.clip(made.lq, 0, 1) * 255 - of_bytes.lq).mean() < 1


def test_regions_are_of_bytes_and_of_numbers_alike(picture):
    steps = [{"one_of": [{"op": "haze", "level": 5}, {"op": "noise", "sigma": 20}]}]
    mixture = {"steps": steps, "regions": {"count": 3, "feather": 4}}
    numbers = picture.astype(np.float32) / np.float32(255)
    first, second = (gends.degrade(one, mixture, 8) for one in (picture, numbers))
    assert first.steps.count("|") == 2
    assert np.abs(np.clip(second.lq, 0, 1) * 255 - first.lq).mean() < 1


def test_the_transform_draws_by_torch(picture):
    degrade = gends.Degrade(WEATHER)
    clean = torch.from_numpy(picture.astype(np.float32) / 255).permute(2, 0, 1)
    torch.manual_seed(4)
    first, gt = degrade(clean)
    other, _ = degrade(clean)
    torch.manual_seed(4)
    again, _ = degrade(clean)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(gt, clean)
    assert torch.equal(degrade(clean, seed=3)[0], degrade(clean, seed=3)[0])


def test_shuffled_steps_need_no_more_than_themselves(picture):
    steps = {"shuffled": ["haze", "noise"]}
    orders = {gends.degrade(picture, steps, seed).steps for seed in range(20)}
    assert orders == {"haze+noise", "noise+haze"}


@pytest.mark.parametrize(
    ("mixture", "says"),
    [
        (["hase"], r"steps\[0\]\.op: unknown operation 'hase'; did you mean 'haze'"),
        ([{"op": "haze", "strength": 2}], r"steps\[0\]\.strength: haze: strength is 2"),
        ({"step": ["haze"]}, r"step: unknown key 'step'; did you mean 'steps'\?"),
        ([{"op": "haze", "engine": "gendeg"}], "haze: painted by an engine"),
    ],
)
def test_mixtures_that_cannot_be_used_are_named(mixture, says, picture):
    with pytest.raises(ValueError, match=says):
        gends.degrade(picture, mixture, 0)


def test_pictures_of_another_form_are_refused(picture):
    for wrong in (picture[..., 0], picture.astype(np.float64)):
        with pytest.raises(ValueError, match="give uint8, or float32 in"):
            gends.degrade(wrong, "haze", 0)
    with pytest.raises(ValueError, match="it has no pixels"):
        gends.degrade(picture[:0], "haze", 0)
    for wrong in (picture.astype(np.float32), np.full((8, 8, 3), np.nan, np.float32)):
        with pytest.raises(ValueError, match="divide 8 bits by 255"):
            gends.degrade(wrong, "haze", 0)
    with pytest.raises(ValueError, match="seed is '3'; give a whole number"):
        gends.degrade(picture, "haze", "3")
    with pytest.raises(ValueError, match="seed is -1"):
        gends.degrade(picture, "haze", -1)
