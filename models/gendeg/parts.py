"""What a generator consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer

from gends.models.autoencoder import Autoencoder
from gends.models.degradations import Structure
from gends.models.gendeg.calibration import Calibration
from gends.models.gendeg.instruction.conditioning import SeverityConditioner
from gends.models.gendeg.sampling.noise_schedule import NoiseSchedule
from gends.models.gendeg.sampling.settings import SamplingSettings
from gends.models.gendeg.target import Target
from gends.models.scm import StructureCorrection

Modules: TypeAlias = dict[str, "nn.Module | None"]


@dataclass(kw_only=True, eq=False)
class Parts:
    """Networks, vocabulary and settings of one generator."""

    modules: Modules
    """By their folder names: unet, vae, text_encoder, conditioner and, or None, scm."""
    tokenizer: CLIPTokenizer
    schedule: NoiseSchedule
    sampling: SamplingSettings
    """How the model is sampled unless told otherwise."""
    target: Target = field(default_factory=Target)
    """What is diffused."""
    captions: bool = True
    """Whether the model was trained with captions; where not, prompts leave them out."""
    structure: Mapping[str, Structure] = field(default_factory=dict)
    """Whose structure pictures keep unless told otherwise, by degradation; the model's where one is
    not named."""
    calibration: Calibration = field(default_factory=Calibration)

    @property
    def unet(self) -> UNet2DConditionModel:
        """Input (N, 2C, h, w): noisy target latents, then those of the clean image."""
        return cast(UNet2DConditionModel, self.modules["unet"])

    @property
    def autoencoder(self) -> Autoencoder:
        """Between images and latents."""
        return cast(Autoencoder, self.modules["vae"])

    @property
    def text_encoder(self) -> CLIPTextModel:
        """Of the prompts."""
        return cast(CLIPTextModel, self.modules["text_encoder"])

    @property
    def conditioner(self) -> SeverityConditioner:
        """Of the severities."""
        return cast(SeverityConditioner, self.modules["conditioner"])

    @property
    def scm(self) -> StructureCorrection | None:
        """Structure correction, where the model has one."""
        return cast("StructureCorrection | None", self.modules.get("scm"))
