"""From noise to latents: one interface, and the solvers of diffusers behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, cast

import torch
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_ancestral_discrete import (
    EulerAncestralDiscreteScheduler,
)
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from gends.models.gendeg.sampling.noise_schedule import NoiseSchedule

Denoise: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""(noisy latents (N, C, h, w) scaled to unit variance, one timestep) → the network's prediction."""


class Sampler(Protocol):
    """Solves the reverse process."""

    def sample(
        self,
        denoise: Denoise,
        shape: tuple[int, int, int],
        generators: Sequence[torch.Generator],
        steps: int,
    ) -> Tensor:
        """Latents (N, *shape), float32, one for each generator.

        Each generator is a CPU generator and the only source of its sample's noise, so a sample is
        the same beside any others (up to the rounding of batched arithmetic).
        """


class SchedulerSampler:
    """A sampler that steps through one of diffusers' schedulers.

    Args:
        name: A key of `SAMPLERS`.
        schedule: The noise schedule that the network was trained with.
        device: Where latents live.

    Raises:
        ValueError: unknown name.
    """

    def __init__(
        self, name: str, schedule: NoiseSchedule, device: torch.device | str = "cpu"
    ) -> None:
        """Choose the solver."""
        if name not in SAMPLERS:
            raise ValueError(f"unknown sampler {name!r}; known are {', '.join(SAMPLERS)}")
        self.name = name
        self._make = SAMPLERS[name]
        self.schedule = schedule
        self.device = torch.device(device)

    def sample(
        self,
        denoise: Denoise,
        shape: tuple[int, int, int],
        generators: Sequence[torch.Generator],
        steps: int,
    ) -> Tensor:
        """See `Sampler.sample`."""
        scheduler = self._scheduler(steps)
        sources = list(generators)
        latents = randn_tensor((len(sources), *shape), generator=sources, device=self.device)
        latents = latents * scheduler.init_noise_sigma
        for timestep in scheduler.timesteps:
            scaled = scheduler.scale_model_input(latents, timestep)
            # Solvers keep their input's type: half precision would ruin latents of size 4096.
            prediction = denoise(scaled, timestep).float()
            arguments = {"generator": sources, "return_dict": False}
            (latents, *_) = scheduler.step(prediction, timestep, latents, **arguments)
        return cast(Tensor, latents)

    def _scheduler(self, steps: int) -> Any:
        """A scheduler set to exactly `steps` timesteps, the first of them noisy."""
        most = self.schedule.num_train_timesteps - 1
        if not 1 <= steps <= most:
            raise ValueError(f"{steps} steps: this model has timesteps for 1 to {most}")
        scheduler = self._make(self.schedule)
        scheduler.set_timesteps(steps, device=self.device)
        if scheduler.timesteps[0] == 0:
            raise ValueError(
                f"{steps} steps: {self.name} would begin where no noise is left; give 2 or more"
            )
        # For 61 steps and some others, rounding in "trailing" spacing adds one at timestep -1.
        scheduler.timesteps = scheduler.timesteps[:steps]
        scheduler.sigmas = torch.cat([scheduler.sigmas[:steps], scheduler.sigmas[-1:]])
        scheduler.set_begin_index(0)
        return scheduler


def _euler_ancestral(schedule: NoiseSchedule) -> Any:
    """k-diffusion's Euler ancestral, which GenDeg's publication samples with."""
    return EulerAncestralDiscreteScheduler(**schedule.config())


def _dpm_solver(schedule: NoiseSchedule) -> Any:
    """DPM-Solver++(2M), arXiv 2211.01095: deterministic after the first noise, few steps."""
    return DPMSolverMultistepScheduler(**schedule.config())


def _dpm_solver_log_snr(schedule: NoiseSchedule) -> Any:
    """The same with steps of one length in log signal-to-noise, as its authors advise."""
    return DPMSolverMultistepScheduler(**schedule.config(), use_lu_lambdas=True)


SAMPLERS: dict[str, Callable[[NoiseSchedule], Any]] = {
    "dpm-solver++": _dpm_solver,
    "dpm-solver++-log-snr": _dpm_solver_log_snr,
    "euler-ancestral": _euler_ancestral,
}
