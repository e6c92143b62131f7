from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from gends.models.gendeg.presets import GENDEG_MINI, GENDEG_SD15, PRESETS
from gends.models.gendeg.sampling.noise_schedule import NoiseSchedule
from gends.models.gendeg.sampling.sampler import SAMPLERS, Denoise, SchedulerSampler

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SHAPE = (2, 4, 4)


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def ideal(schedule: NoiseSchedule, mean: float, spread: float) -> Denoise:
    """The best prediction there is where every latent is normal with this mean and spread."""
    abar = schedule.alphas_cumprod.double()

    def denoise(noisy: Tensor, timestep: Tensor) -> Tensor:
        at = abar[timestep.round().long()]
        gain = at.sqrt() * spread**2 / (at * spread**2 + 1 - at)
        clean = mean + gain * (noisy - at.sqrt() * mean)
        noise = (noisy - at.sqrt() * clean) / (1 - at).sqrt()
        if schedule.prediction_type == "epsilon":
            return noise
        return at.sqrt() * noise - (1 - at).sqrt() * clean

    return denoise


def sample(name: str, preset: str, denoise: Denoise, seeds: Sequence[int], steps: int) -> Tensor:
    sampler = SchedulerSampler(name, PRESETS[preset].schedule)
    return sampler.sample(denoise, SHAPE, generators(*seeds), steps)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("steps", [2, 7, 20, 61])
def test_a_known_image_is_found_in_any_number_of_steps(name: str, preset: str, steps: int):
    denoise = ideal(PRESETS[preset].schedule, mean=1.7, spread=1e-3)
    found = sample(name, preset, denoise, [1, 2], steps)
    torch.testing.assert_close(found, torch.full((2, *SHAPE), 1.7), atol=0.02, rtol=0)


@pytest.mark.parametrize(
    ("name", "preset", "steps"),
    [
        ("dpm-solver++", "gendeg-mini", 20),
        ("dpm-solver++", "gendeg-sd15", 20),
        ("euler-ancestral", "gendeg-mini", 100),
        ("euler-ancestral", "gendeg-sd15", 100),
    ],
)
def test_the_distribution_is_reproduced(name: str, preset: str, steps: int):
    denoise = ideal(PRESETS[preset].schedule, mean=-0.5, spread=0.6)
    found = sample(name, preset, denoise, range(64), steps)
    assert found.mean().item() == pytest.approx(-0.5, abs=0.05)
    assert found.std().item() == pytest.approx(0.6, abs=0.04)


@pytest.mark.parametrize("name", ["dpm-solver++", "dpm-solver++-log-snr"])
def test_dpm_solver_converges_to_the_exact_flow_from_zero_signal(name: str):
    (rng,) = generators(5)
    exact = -0.5 + 0.6 * torch.randn(1, *SHAPE, generator=rng)
    denoise = ideal(GENDEG_MINI.schedule, -0.5, 0.6)
    found = [sample(name, "gendeg-mini", denoise, [5], steps) for steps in (5, 20, 200)]
    errors = [(latents - exact).abs().max().item() for latents in found]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    assert errors[2] < 0.02


def test_one_dpm_solver_step_is_the_networks_own_estimate():
    denoise = ideal(GENDEG_MINI.schedule, mean=1.7, spread=0.5)
    found = sample("dpm-solver++", "gendeg-mini", denoise, [1], 1)
    torch.testing.assert_close(found, torch.full((1, *SHAPE), 1.7), atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sample_does_not_depend_on_its_neighbours(name: str):
    denoise = ideal(GENDEG_SD15.schedule, 0.0, 1.0)
    together = sample(name, "gendeg-sd15", denoise, [3, 4, 5, 6], 6)
    alone = sample(name, "gendeg-sd15", denoise, [5], 6)
    torch.testing.assert_close(together[2:3], alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_number_of_steps_evaluates_as_often_at_falling_timesteps(name: str, preset: str):
    sampler = SchedulerSampler(name, PRESETS[preset].schedule)
    for steps in [*range(2, 130), 250, 333, 500, 999]:
        visited: list[float] = []

        def watch(noisy: Tensor, timestep: Tensor, visited: list[float] = visited) -> Tensor:
            visited.append(timestep.item())
            return torch.zeros_like(noisy)

        sampler.sample(watch, (1, 1, 1), generators(0), steps)
        assert len(visited) == steps
        assert visited[0] == 999
        assert visited == sorted(visited, reverse=True)
        assert visited[-1] >= 0


@pytest.mark.parametrize("steps", [0, 1000])
def test_impossible_step_counts_are_refused(steps: int):
    with pytest.raises(ValueError, match="1 to 999"):
        sample("dpm-solver++", "gendeg-sd15", ideal(GENDEG_SD15.schedule, 0, 1), [0], steps)


def test_a_single_step_from_the_noiseless_end_is_refused():
    with pytest.raises(ValueError, match="2 or more"):
        sample("euler-ancestral", "gendeg-sd15", ideal(GENDEG_SD15.schedule, 0, 1), [0], 1)


def test_unknown_sampler_names_the_known():
    with pytest.raises(ValueError, match=r"ddim.*dpm-solver\+\+"):
        SchedulerSampler("ddim", GENDEG_SD15.schedule)
