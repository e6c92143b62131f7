from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from photographs import NAMES

from gends.histograms.profile import Profile
from gends.models.degradations import DEGRADATIONS
from gends.models.degrader import Image, Instruction
from gends.models.dry import DryDegrader
from gends.models.gendeg.engine import GenDegDegrader
from gends.models.gendeg.model import GenDeg
from gends.models.parametric.engine import ParametricDegrader
from gends.pipeline.making.stray_colour import stray_colour
from gends.pipeline.planning.config import FilterConfig

BOUND = FilterConfig().stray_colour_max


@pytest.mark.parametrize("degradation", DEGRADATIONS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mu", [0.03, 0.1, 0.2])
def test_pairs_made_by_formula_hold_no_stray_colour(pictures, name, degradation, mu):
    instruction = Instruction(degradation=degradation, mu=mu, sigma=mu, seed=0)
    [[pair]] = ParametricDegrader(candidates=1).degrade([pictures[name]], [[instruction]])
    bound = BOUND if degradation == "raindrop" else BOUND / 5
    assert stray_colour(pair.lq, pair.gt, degradation) < bound


def test_most_pairs_of_a_rehearsal_pass(pictures):
    scores = []
    for clean in pictures.values():
        for seed in range(5):
            draw = Profile.reference().draw("haze", np.random.default_rng(seed), uniform_share=0)
            instruction = Instruction(degradation="haze", mu=draw.mu, sigma=draw.sigma, seed=seed)
            [[pair]] = DryDegrader().degrade([clean], [[instruction]])
            scores.append(stray_colour(pair.lq, pair.gt, "haze"))
    assert np.quantile(scores, 0.8) < BOUND


def _generated(model: GenDeg, clean: Image) -> dict[str, float]:
    """Stray colour of a pair of each degradation, as painted."""
    instructions = [
        Instruction(degradation=name, mu=0.12, sigma=0.1, seed=seed)
        for seed, name in enumerate(DEGRADATIONS)
    ]
    engine = GenDegDegrader(model, structure=dict.fromkeys(DEGRADATIONS, "model"))
    [pairs] = engine.degrade([clean], [instructions])
    return {
        asked.degradation: stray_colour(pair.lq, pair.gt, asked.degradation)
        for asked, pair in zip(instructions, pairs, strict=True)
    }


def test_a_generator_that_has_learnt_nothing_is_told_from_the_bundled_one(pictures):
    model = GenDeg.from_pretrained("gendeg-mini")
    good = _generated(model, pictures["chelsea"])
    assert all(score < BOUND / 2 for score in good.values()), good
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        for weight in model.unet.parameters():
            if weight.ndim > 1:
                noise = torch.randn(weight.shape, generator=generator)
                weight.copy_(noise * weight.std())
    bad = _generated(model, pictures["chelsea"])
    assert all(score > BOUND for score in bad.values()), bad


@pytest.mark.parametrize("side", [2, 8, 16])
@pytest.mark.parametrize("name", NAMES)
def test_blotches_of_colour_are_stray(pictures, name, side):
    clean = pictures[name]
    rng = np.random.default_rng(0)
    cells = rng.normal(0, 40, (128 // side, 128 // side, 3)).repeat(side, 0).repeat(side, 1)
    lq = np.clip(clean + cells, 0, 255).astype(np.uint8)
    grain = np.clip(clean + rng.normal(0, 40, clean.shape), 0, 255).astype(np.uint8)
    if side > 2:
        assert stray_colour(lq, clean, "haze") > 2 * BOUND
    assert stray_colour(grain, clean, "haze") < stray_colour(lq, clean, "haze") / 3


@pytest.mark.parametrize("degradation", DEGRADATIONS)
@pytest.mark.parametrize("name", NAMES)
def test_a_cast_over_all_of_the_picture_is_stray(pictures, name, degradation):
    instruction = Instruction(degradation=degradation, mu=0.1, sigma=0.1, seed=0)
    [[pair]] = ParametricDegrader(candidates=1).degrade([pictures[name]], [[instruction]])
    casts = [(0, 38, 0), (-30, 30, 0), *([(0, 0, 38)] if degradation == "rain" else [])]
    for cast in casts:
        lq = np.clip(pair.lq + np.array(cast), 0, 255).astype(np.uint8)
        assert stray_colour(lq, pair.gt, degradation) > BOUND, cast
    faint = np.clip(pair.lq + np.array((0, 10, 0)), 0, 255).astype(np.uint8)
    assert stray_colour(faint, pair.gt, degradation) < 1.5 * BOUND


@pytest.mark.parametrize("name", NAMES)
def test_greyer_darker_veiled_and_streaked_is_explained(pictures, name):
    clean = pictures[name]
    flakes = np.zeros(clean.shape[:2], np.float32)
    flakes[::7, ::5] = 4
    cover = np.minimum(cv2.GaussianBlur(flakes, (0, 0), 1), 1)[:, :, None]
    snowed = (clean + (255 - clean) * cover).astype(np.uint8)
    grey = clean.mean(axis=2, keepdims=True)
    greyer = (0.3 * clean + 0.7 * grey).round().astype(np.uint8)
    for lq in (snowed, greyer, clean // 4):
        assert stray_colour(lq, clean, "snow") < BOUND / 5


def test_only_what_moves_colours_may_bring_them_from_nearby(pictures):
    clean = pictures["chelsea"]
    moved = np.ascontiguousarray(np.roll(clean, 6, axis=1))
    scores = [stray_colour(moved, clean, name) for name in ("rain", "motion_blur", "raindrop")]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 3 * scores[1]


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 2**32))
def test_the_score_is_finite_for_any_size(width, height, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    assert 0 <= stray_colour(a, b, "raindrop") < 10
    assert stray_colour(a, a, "haze") == pytest.approx(0, abs=0.01)
