from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from photographs import NAMES
from PIL import Image as Pillow

from gends.histograms.profile import Profile
from gends.models.degradations import DEGRADATIONS
from gends.models.degrader import Image, Instruction
from gends.models.parametric.engine import ParametricDegrader
from gends.pipeline.making.structure import structure_score
from gends.pipeline.planning.config import FilterConfig

BOUND = FilterConfig().structure_min


@pytest.mark.parametrize("degradation", DEGRADATIONS)
@pytest.mark.parametrize("name", NAMES)
def test_pairs_made_by_formula_keep_their_structure(pictures, name, degradation):
    clean = pictures[name]
    degrader = ParametricDegrader(candidates=1)
    profile = Profile.reference()
    for seed in range(3):
        draw = profile.draw(degradation, np.random.default_rng(seed), uniform_share=0)
        instruction = Instruction(degradation=degradation, mu=draw.mu, sigma=draw.sigma, seed=seed)
        [[pair]] = degrader.degrade([clean], [[instruction]])
        assert structure_score(pair.lq, pair.gt) > BOUND + 0.1


def _shuffled(image: Image, rng: np.random.Generator) -> Image:
    tiles = image.reshape(8, 16, 8, 16, 3).swapaxes(1, 2).reshape(64, 16, 16, 3)
    mixed = tiles[rng.permutation(64)].reshape(8, 8, 16, 16, 3)
    return np.ascontiguousarray(mixed.swapaxes(1, 2).reshape(image.shape))


def _blobs(image: Image, rng: np.random.Generator) -> Image:
    coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.asarray(Pillow.fromarray(coarse).resize(image.shape[1::-1], 3))


LOSSES = {
    "white": lambda image, rng: np.full_like(image, 255),
    "black": lambda image, rng: np.zeros_like(image),
    "noise": lambda image, rng: rng.integers(0, 256, image.shape, dtype=np.uint8),
    "blobs": _blobs,
    "shuffled": _shuffled,
    "negative": lambda image, rng: 255 - image,
    "upside down": lambda image, rng: np.ascontiguousarray(image[::-1]),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", NAMES)
def test_what_has_lost_the_photograph_is_far_below_the_bound(pictures, name, loss):
    lost = LOSSES[loss](pictures[name], np.random.default_rng(0))
    assert structure_score(lost, pictures[name]) < BOUND - 0.1


def test_another_photograph_is_far_below_the_bound(pictures):
    for name in NAMES:
        for other in set(NAMES) - {name}:
            assert structure_score(pictures[other], pictures[name]) < BOUND - 0.1


@pytest.mark.parametrize("name", NAMES)
def test_an_image_keeps_all_of_its_own_structure(pictures, name):
    assert structure_score(pictures[name], pictures[name]) == pytest.approx(1, abs=0.02)


@given(gain=st.floats(0.4, 0.9), offset=st.floats(0, 0.1), name=st.sampled_from(NAMES))
def test_less_contrast_and_another_brightness_lose_little(pictures, gain, offset, name):
    clean = pictures[name]
    changed = np.clip(clean * gain + offset * 255, 0, 255).round().astype(np.uint8)
    assert structure_score(changed, clean) > 0.9


def test_a_little_blur_noise_and_a_gradient_of_light_lose_little(pictures):
    clean = pictures["astronaut"]
    rng = np.random.default_rng(0)
    noisy = np.clip(clean + rng.normal(0, 12, clean.shape), 0, 255).astype(np.uint8)
    blurred = cv2.GaussianBlur(clean, (0, 0), 2)
    light = np.linspace(0.4, 1, clean.shape[1])[None, :, None]
    lit = (clean * light).astype(np.uint8)
    assert all(structure_score(lq, clean) > 0.9 for lq in (noisy, blurred, lit))


def test_more_of_the_photograph_covered_scores_lower(pictures):
    clean = pictures["coffee"]
    scores = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        covered = clean.copy()
        covered[: round(share * len(clean))] = 255
        scores.append(structure_score(covered, clean))
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.95
    assert scores[-1] < 0.1


def test_a_clear_sky_has_nothing_to_lose():
    sky = np.full((128, 128, 3), (120, 160, 220), np.uint8)
    rain = sky.copy()
    rain[:, ::9] += 20
    assert structure_score(rain, sky) > 0.9


@given(st.integers(16, 70), st.integers(16, 70), st.integers(0, 2**32))
def test_the_score_is_finite_and_bounded_for_any_size(width, height, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    assert -1 <= structure_score(a, b) <= 1
