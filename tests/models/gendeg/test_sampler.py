from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from gends.models.gendeg.noise_schedule import NoiseSchedule
from gends.models.gendeg.presets import GENDEG_MINI, GENDEG_SD15, PRESETS
from gends.models.gendeg.sampler import SAMPLERS, Denoise, SchedulerSampler

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


def sample(
    name: str, preset: str, denoise: Denoise, seeds: Sequence[int], steps: int
) -> Tensor:
    sampler = SchedulerSampler(name, PRESETS[preset].schedule)
    return sampler.sample(denoise, SHAPE, generators(*seeds), steps)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("steps", [1, 2, 7, 20])
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


def test_dpm_solver_converges_to_the_exact_flow_from_zero_signal():
    schedule = GENDEG_MINI.schedule
    (rng,) = generators(5)
    noise = torch.randn(1, *SHAPE, generator=rng)
    errors = [
        (
            sample("dpm-solver++", "gendeg-mini", ideal(schedule, -0.5, 0.6), [5], steps)
            - (-0.5 + 0.6 * noise)
        )
        .abs()
        .max()
        .item()
        for steps in (5, 10, 40)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.01


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sample_does_not_depend_on_its_neighbours(name: str):
    denoise = ideal(GENDEG_SD15.schedule, 0.0, 1.0)
    together = sample(name, "gendeg-sd15", denoise, [3, 4, 5, 6], 6)
    alone = sample(name, "gendeg-sd15", denoise, [5], 6)
    torch.testing.assert_close(together[2:3], alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_number_of_steps_visits_that_many_falling_timesteps(name: str, preset: str):
    schedule = PRESETS[preset].schedule
    for steps in [*range(1, 130), 250, 333, 500, 999, 1000]:
        scheduler = SAMPLERS[name](schedule)
        scheduler.set_timesteps(steps)
        assert len(scheduler.timesteps) == steps
        assert scheduler.timesteps[0] == 999
        assert (scheduler.timesteps.diff() < 0).all()
        assert scheduler.timesteps[-1] >= 0


@pytest.mark.parametrize("steps", [0, 1001])
def test_impossible_step_counts_are_refused(steps: int):
    with pytest.raises(ValueError, match="1 to 1000"):
        sample("dpm-solver++", "gendeg-sd15", ideal(GENDEG_SD15.schedule, 0, 1), [0], steps)


def test_unknown_sampler_names_the_known():
    with pytest.raises(ValueError, match=r"ddim.*dpm-solver\+\+"):
        SchedulerSampler("ddim", GENDEG_SD15.schedule)
