"""The noise schedule as part of a model's configuration, and the arithmetic that hangs on it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, Literal, cast, get_args, get_type_hints

from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor

from gends.models.files.json_object import construct

ALWAYS = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule")
"""Keys of every published scheduler_config.json; those of Stable Diffusion 1 hold no more."""
LATER = ("timestep_spacing", "rescale_betas_zero_snr")
"""Keys that diffusers writes since it also writes prediction_type."""
COMPLETE = (0, 36)
"""diffusers since which, at the latest, a DDPMScheduler's file has all; every one of ours is."""


@dataclass(frozen=True, kw_only=True)
class NoiseSchedule:
    """Discrete variance-preserving noise, in the terms of diffusers' scheduler configurations.

    z_t = sqrt(abar_t)·z_0 + sqrt(1 - abar_t)·noise for t in 0 … num_train_timesteps - 1.
    """

    num_train_timesteps: int = 1000
    beta_start: float = 0.00085
    beta_end: float = 0.012
    beta_schedule: Literal["linear", "scaled_linear", "squaredcos_cap_v2"] = "scaled_linear"
    prediction_type: Literal["epsilon", "v_prediction"] = "epsilon"
    """What the network's output means: the noise, or the velocity of arXiv 2202.00512."""
    timestep_spacing: Literal["linspace", "leading", "trailing"] = "linspace"
    steps_offset: int = 0
    rescale_betas_zero_snr: bool = False
    """No signal left at the last timestep (arXiv 2305.08891, algorithm 1): needed where the
    brightness of the whole image is to be learnt."""

    def __post_init__(self) -> None:
        """Refuse combinations that cannot be sampled from."""
        for name in ("prediction_type", "beta_schedule", "timestep_spacing"):
            known = get_args(get_type_hints(type(self))[name])
            if getattr(self, name) not in known:
                names = ", ".join(map(repr, known))
                raise ValueError(f"{name} {getattr(self, name)!r}: give one of {names}")
        if self.num_train_timesteps < 1:
            raise ValueError(f"num_train_timesteps is {self.num_train_timesteps}; give 1 or more")
        if not 0 < self.beta_start <= self.beta_end < 1:  # false for NaN, too
            raise ValueError(
                f"beta_start {self.beta_start} and beta_end {self.beta_end}: give "
                "0 < beta_start <= beta_end < 1"
            )
        if not 0 <= self.steps_offset < self.num_train_timesteps:
            raise ValueError(
                f"steps_offset is {self.steps_offset}; give 0 to {self.num_train_timesteps - 1}"
            )
        if self.rescale_betas_zero_snr and self.prediction_type == "epsilon":
            raise ValueError(
                "prediction_type 'epsilon' with rescale_betas_zero_snr: where nothing but noise is "
                "left, the noise says nothing of the image; choose 'v_prediction'"
            )
        if self.rescale_betas_zero_snr and self.timestep_spacing != "trailing":
            raise ValueError(
                f"timestep_spacing {self.timestep_spacing!r} with rescale_betas_zero_snr: sampling "
                "must begin at the last timestep; choose 'trailing'"
            )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> NoiseSchedule:
        """From any diffusers scheduler_config.json; keys of other concerns are left aside.

        What a file of an early diffusers lacks is as diffusers' own solvers have it.

        Raises:
            ValueError: a key that every such file holds is missing, or a value is of no use.
        """
        known = [field.name for field in fields(cls)]
        required = ALWAYS + ("prediction_type",) * any(key in config for key in LATER)
        if config.get("_class_name") == "DDPMScheduler" and _diffusers_version(config) >= COMPLETE:
            required = tuple(known)
        if missing := [key for key in required if key not in config]:
            raise ValueError(
                f"no {', no '.join(missing)}: this is no whole configuration of a diffusers "
                "scheduler; copy the file anew"
            )
        if config.get("trained_betas") is not None:
            raise ValueError("trained_betas: noise schedules given one by one are not supported")
        return construct(cls, {key: value for key, value in config.items() if key in known})

    def config(self) -> dict[str, Any]:
        """Keyword arguments of diffusers' schedulers."""
        return asdict(self)

    @cached_property
    def scheduler(self) -> Any:
        """The training process: diffusers' DDPMScheduler."""
        return DDPMScheduler(**self.config())

    @cached_property
    def alphas_cumprod(self) -> Tensor:
        """abar_t, float32 (num_train_timesteps,), on the CPU."""
        # Of another scheduler: `add_noise` moves the tensors of its own to where the latents are.
        return cast(Tensor, DDPMScheduler(**self.config()).alphas_cumprod)

    def add_noise(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """z_t of (N, C, h, w) latents at int64 (N,) timesteps."""
        return cast(Tensor, self.scheduler.add_noise(latents, noise, timesteps))

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What the network is to predict at z_t."""
        if self.prediction_type == "epsilon":
            return noise
        return cast(Tensor, self.scheduler.get_velocity(latents, noise, timesteps))

    def one_step_estimate(self, noisy: Tensor, prediction: Tensor, timesteps: Tensor) -> Tensor:
        """The clean latents that a prediction at (N, C, h, w) z_t and (N,) timesteps implies."""
        abar = self.alphas_cumprod.to(noisy.device)[timesteps][:, None, None, None]
        if self.prediction_type == "epsilon":
            return (noisy - (1 - abar).sqrt() * prediction) / abar.sqrt()
        return abar.sqrt() * noisy - (1 - abar).sqrt() * prediction


def _diffusers_version(config: dict[str, Any]) -> tuple[int, ...]:
    """Major and minor version of the diffusers that wrote a configuration; () where unknown."""
    found = re.match(r"(\d+)\.(\d+)", str(config.get("_diffusers_version")))
    return tuple(map(int, found.groups())) if found else ()
