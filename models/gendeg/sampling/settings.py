"""How a model is sampled: stored with it, overridable per run."""

from __future__ import annotations

from dataclasses import dataclass

from gends.models.gendeg.sampling.guidance import Guidance
from gends.models.gendeg.sampling.sampler import SAMPLERS


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """Sampler, number of steps and guidance."""

    sampler: str = "dpm-solver++"
    """A key of `gends.models.gendeg.sampling.sampler.SAMPLERS`."""
    steps: int = 20
    text_guidance: float = 7.5
    image_guidance: float = 1.5

    def __post_init__(self) -> None:
        """Refuse what no sampler does."""
        if self.sampler not in SAMPLERS:
            raise ValueError(f"unknown sampler {self.sampler!r}; known are {', '.join(SAMPLERS)}")
        if self.steps < 1:
            raise ValueError(f"steps is {self.steps}; give 1 or more")

    @property
    def guidance(self) -> Guidance:
        """The two scales."""
        return Guidance(text=self.text_guidance, image=self.image_guidance)
