from __future__ import annotations

import json

import numpy as np
import pytest

from gends.histograms import load_profile
from gends.histograms.severity import measure
from gends.models.degrader import Degrader, Instruction
from gends.models.parametric import OPERATIONS, ParametricDegrader, engine, replay

BIN = 0.7 / 128

# A severity of each kind that the three test photographs can all take.
REACHABLE = {
    "haze": (0.03, 0.1),
    "rain": (0.014, 0.06),
    "snow": (0.02, 0.1),
    "motion_blur": (0.01, 0.02),
    "low_light": (0.08, 0.2),
    "raindrop": (0.015, 0.03),
}


def _instruction(degradation: str, mu: float, seed: int = 11, sigma: float = 0.06) -> Instruction:
    return Instruction(degradation=degradation, mu=mu, sigma=sigma, seed=seed)


def test_it_is_a_degrader():
    degrader = ParametricDegrader()
    assert isinstance(degrader, Degrader)
    assert degrader.engine == "parametric"
    fingerprint = degrader.fingerprint()
    assert all(isinstance(value, str) for value in fingerprint.values())
    assert {"numpy", "opencv", "candidates", "tries"} | {
        f"operation.{n}" for n in OPERATIONS
    } <= set(fingerprint)


@pytest.mark.parametrize("degradation", list(REACHABLE))
def test_the_wanted_severity_is_met(degradation: str, photos: list[np.ndarray]):
    wanted = [_instruction(degradation, mu) for mu in REACHABLE[degradation]]
    results = ParametricDegrader().degrade(photos, [wanted] * len(photos))
    for photo, degraded in zip(photos, results, strict=True):
        for instruction, pair in zip(wanted, degraded, strict=True):
            mu = np.abs(pair.lq.astype(float) - pair.gt.astype(float)).mean() / 255
            assert abs(mu - instruction.mu) <= BIN
            assert pair.gt is photo
            assert pair.lq.dtype == np.uint8
            assert (pair.target_kind, pair.scm_applied) == ("clean", False)


@pytest.mark.parametrize("degradation", list(OPERATIONS))
def test_a_recipe_replays_to_the_same_bytes(degradation: str, photos: list[np.ndarray]):
    pair = ParametricDegrader().degrade(photos[:1], [[_instruction(degradation, 0.02)]])[0][0]
    step = json.loads(json.dumps(pair.step))
    np.testing.assert_array_equal(replay(step, photos[0]), pair.lq)
    depth = {"depth"} if OPERATIONS[degradation].needs_depth else set()
    assert {"op", "version", "parameters", "seed"} | depth == set(step)
    elsewhere = replay(step, photos[1])
    assert elsewhere.shape == photos[1].shape
    assert (elsewhere != photos[1]).any()


def test_results_depend_on_the_instruction_alone(photos: list[np.ndarray]):
    degrader = ParametricDegrader()
    wanted = [_instruction(n, 0.05, seed=2**64 - 1 - i) for i, n in enumerate(REACHABLE)]
    together = degrader.degrade(photos[:2], [wanted, wanted[::-1]])
    alone = degrader.degrade(photos[1:2], [[wanted[2]]])[0][0]
    np.testing.assert_array_equal(together[1][3].lq, alone.lq)
    other = degrader.degrade(photos[1:2], [[_instruction("snow", 0.05, seed=1)]])[0][0]
    assert (other.lq != alone.lq).any()


def test_more_candidates_come_nearer_to_the_wanted_sigma(photos: list[np.ndarray]):
    wanted = [_instruction("haze", 0.1, seed, sigma) for seed in range(6) for sigma in (0.04, 0.09)]
    errors = []
    for candidates in (1, 6):
        results = ParametricDegrader(candidates).degrade(photos[:1], [wanted])[0]
        made = [measure(pair.lq, pair.gt).sigma for pair in results]
        errors.append(sum(abs(s - w.sigma) for s, w in zip(made, wanted, strict=True)))
    assert errors[1] < 0.8 * errors[0]


def test_what_real_snow_asks_for_is_reached_by_drawing_more(photos: list, monkeypatch):
    rng, profile = np.random.default_rng(1), load_profile("reference")
    wanted = []
    for _ in range(24):
        drawn = profile.draw("snow", rng, uniform_share=0.0)
        wanted.append(_instruction("snow", drawn.mu, int(rng.integers(2**63)), drawn.sigma))
    more = ParametricDegrader().degrade(photos[:1], [wanted])[0]
    monkeypatch.setattr(engine, "TRIES", 0)
    few = ParametricDegrader().degrade(photos[:1], [wanted])[0]

    def missed(pairs: list) -> list[bool]:
        made = [measure(pair.lq, pair.gt).mu for pair in pairs]
        return [abs(mu - w.mu) > BIN for mu, w in zip(made, wanted, strict=True)]

    assert any(missed(few))
    assert not any(missed(more))
    for first, pair, miss in zip(few, more, missed(few), strict=True):
        assert miss or (first.lq == pair.lq).all()


def test_what_cannot_be_reached_is_not_claimed():
    black = np.zeros((96, 96, 3), np.uint8)
    pair = ParametricDegrader().degrade([black], [[_instruction("low_light", 0.25)]])[0][0]
    assert measure(pair.lq, pair.gt).mu < 0.05


def test_errors_name_the_way_out(photos: list[np.ndarray]):
    with pytest.raises(ValueError, match="candidates is 0; it must be at least 1"):
        ParametricDegrader(0)
    with pytest.raises(ValueError, match=r"no operation 'sleet'.*haze"):
        ParametricDegrader().degrade(photos[:1], [[_instruction("sleet", 0.1)]])
    step = {"op": "haze", "version": 99, "parameters": {"strength": 0.1}, "seed": 1}
    with pytest.raises(ValueError, match="version 99 of haze"):
        replay(step, photos[0])


def test_a_given_strength_is_what_is_rendered(photos: list[np.ndarray]):
    wanted = Instruction(degradation="haze", strength=0.3, seed=4, parameters={"nearest": 0.2})
    pair = ParametricDegrader().degrade(photos[:1], [[wanted]])[0][0]
    assert pair.step["parameters"]["strength"] == 0.3
    assert pair.step["parameters"]["nearest"] == 0.2
    np.testing.assert_array_equal(replay(pair.step, photos[0]), pair.lq)


@pytest.mark.parametrize("degradation", list(REACHABLE))
def test_a_variant_has_the_same_parameters_in_every_pair(degradation: str, photos: list):
    wanted = [[_instruction(degradation, 0.02, seed) for seed in range(8)]]

    def parameters(*variants: int) -> list[dict[str, object]]:
        pairs = ParametricDegrader(1, variants).degrade(photos[:1], wanted)[0]
        return [pair.step["parameters"] | {"strength": None} for pair in pairs]

    assert all(each == parameters(0)[0] for each in parameters(0))
    assert parameters(0)[0] != parameters(1)[0]
    both = parameters(0, 1)
    assert {json.dumps(each) for each in both} == {
        json.dumps(parameters(number)[0]) for number in (0, 1)
    }


def test_variants_belong_to_the_identity_and_are_numbered_from_0():
    assert ParametricDegrader(variants=[2, 3]).fingerprint()["variants"] == "2,3"
    with pytest.raises(ValueError, match="numbered from 0"):
        ParametricDegrader(variants=[-1])
