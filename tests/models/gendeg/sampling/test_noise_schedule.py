from __future__ import annotations

import pytest
import torch

from gends.models.gendeg.presets import GENDEG_MINI, GENDEG_SD15, PRESETS
from gends.models.gendeg.sampling.noise_schedule import NoiseSchedule


def test_stable_diffusions_schedule():
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    wanted = (1 - betas).cumprod(0).float()
    torch.testing.assert_close(GENDEG_SD15.schedule.alphas_cumprod, wanted, atol=1e-6, rtol=1e-4)


def test_minis_last_timestep_holds_no_signal():
    abar = GENDEG_MINI.schedule.alphas_cumprod
    assert abar[-1] == 0
    assert (abar.diff() < 0).all()


@pytest.mark.parametrize("name", PRESETS)
def test_one_step_estimate_undoes_what_training_asks_for(name: str):
    schedule = PRESETS[name].schedule
    rng = torch.Generator().manual_seed(0)
    latents, noise = torch.randn(2, 5, 4, 3, 3, generator=rng)
    timesteps = torch.tensor([0, 10, 500, 900, 999])
    noisy = schedule.add_noise(latents, noise, timesteps)
    target = schedule.target(latents, noise, timesteps)
    estimate = schedule.one_step_estimate(noisy, target, timesteps)
    torch.testing.assert_close(estimate, latents, atol=1e-4, rtol=1e-4)


def test_configuration_survives_a_scheduler_config():
    schedule = GENDEG_MINI.schedule
    assert NoiseSchedule.from_config({**schedule.scheduler.config}) == schedule


BETAS = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}
# As published with Stable Diffusion 1.5 and InstructPix2Pix, years apart.
OLD = {"_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", "trained_betas": None}
LATER = {"_class_name": "EulerAncestralDiscreteScheduler", "prediction_type": "epsilon"}


@pytest.mark.parametrize("more", [OLD, LATER, LATER | {"timestep_spacing": "linspace"}])
def test_published_configurations_are_read(more: dict[str, object]):
    assert NoiseSchedule.from_config({**BETAS, **more}) == NoiseSchedule()


def ours(version: str) -> dict[str, object]:
    marks = {"_class_name": "DDPMScheduler", "_diffusers_version": version}
    return GENDEG_MINI.schedule.config() | marks


@pytest.mark.parametrize("key", GENDEG_MINI.schedule.config())
def test_a_file_of_our_own_lacks_no_key(key: str):
    config = ours("0.36.0")
    assert NoiseSchedule.from_config(config) == GENDEG_MINI.schedule
    del config[key]
    with pytest.raises(ValueError, match=f"no {key}: .*copy the file anew"):
        NoiseSchedule.from_config(config)


@pytest.mark.parametrize("version", ["0.20.2", "0.9", None])
def test_the_same_class_of_an_older_diffusers_may_lack_one(version: str):
    config = ours(version)
    del config["rescale_betas_zero_snr"]
    assert not NoiseSchedule.from_config(config).rescale_betas_zero_snr


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({}, "no num_train_timesteps, no beta_start, no beta_end, no beta_schedule"),
        ({"a": 1}, "no num_train_timesteps"),
        (BETAS | {"timestep_spacing": "trailing"}, "no prediction_type"),
        (BETAS | {"beta_end": "0.1"}, "beta_end is '0.1'; give float"),
        (BETAS | {"trained_betas": [0.1]}, "trained_betas"),
        (BETAS | {"num_train_timesteps": 0}, "num_train_timesteps is 0"),
    ],
)
def test_no_default_stands_in_for_what_a_damaged_file_lost(config: dict[str, object], says: str):
    with pytest.raises(ValueError, match=says):
        NoiseSchedule.from_config(config)


@pytest.mark.parametrize(
    "wrong",
    [
        {"beta_start": 0.012, "beta_end": 0.00085},
        {"beta_start": float("nan")},
        {"beta_end": 1.0},
        {"steps_offset": 1000},
        {"beta_schedule": "foo"},
        {"timestep_spacing": "foo"},
        {"prediction_type": "sample"},
        {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"},
        {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"},
    ],
)
def test_what_cannot_be_sampled_is_refused(wrong: dict[str, object]):
    with pytest.raises(ValueError, match=r"choose|give"):
        NoiseSchedule(**wrong)


def test_noising_elsewhere_leaves_the_schedule_on_the_cpu():
    schedule = NoiseSchedule()
    latents = torch.zeros(2, 4, 8, 8, device="meta")
    assert schedule.add_noise(latents, latents, torch.tensor([1, 2])).device.type == "meta"
    assert schedule.alphas_cumprod.device.type == "cpu"
