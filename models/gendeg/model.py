"""GenDeg: clean photographs and instructions in, degraded photographs out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import CLIPTokenizer

from gends.models.autoencoder import condition_latents, decode_latents
from gends.models.degrader import Instruction
from gends.models.gendeg.instruction.prompt import PromptEncoder, PromptTokenizer
from gends.models.gendeg.network import build_parts
from gends.models.gendeg.parts import Parts
from gends.models.gendeg.presets import Preset, find_preset
from gends.models.gendeg.sampling.guidance import guided
from gends.models.gendeg.sampling.sampler import SchedulerSampler
from gends.models.gendeg.sampling.settings import SamplingSettings
from gends.models.gendeg.source import locate
from gends.models.gendeg.storage import load_model, save_model


@dataclass(kw_only=True, eq=False)
class GenDeg(Parts):
    """The generator (arXiv 2411.17687), in evaluation mode.

    Images are float (N, 3, H, W) in [-1, 1], H and W multiples of 8. The text encoder and the
    severity conditioner stay in float32: they run once per prompt and once per batch.
    """

    folder: Path | None = None
    """Where the weights were loaded from."""

    def __post_init__(self) -> None:
        """Set what follows from the parts."""
        for module in self.modules.values():
            if module is not None:
                module.eval()
        self.network: Any = self.unet
        self._encode_prompts()

    @classmethod
    def build(
        cls, preset: Preset | str, *, seed: int, tokenizer: CLIPTokenizer | None = None
    ) -> GenDeg:
        """A model with random weights.

        Args:
            preset: Sizes, or a key of `gends.models.gendeg.presets.PRESETS`.
            seed: Decides the weights.
            tokenizer: Needed by presets whose vocabulary is CLIP's; others make their own.

        Raises:
            ValueError: unknown preset, or a tokenizer that is missing or does not fit.
        """
        sizes = preset if isinstance(preset, Preset) else find_preset(preset)
        return cls(**vars(build_parts(sizes, seed, tokenizer)))

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        revision: str | None = None,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
        compiled: bool = False,
    ) -> GenDeg:
        """Load a model.

        Args:
            name: A folder, "gendeg-mini" (bundled), or a hub id.
            revision: Commit of the hub repository, 40 hexadecimal digits.
            device: Where to.
            dtype: Of the UNet: float32 on the CPU and bfloat16 elsewhere by default.
            compiled: Compile the UNet with torch.compile when it first runs.

        Raises:
            ValueError: no such model, or its weights lack keys or have unexpected ones.
        """
        folder = locate(name, revision)
        model = cls(**vars(load_model(folder)), folder=folder)
        return model.to(device, dtype, compiled=compiled)

    def save_pretrained(self, path: str | Path, *, dtype: torch.dtype | None = None) -> None:
        """Write the folder that `from_pretrained` reads; `dtype` is that of the stored weights."""
        save_model(Path(path), self, dtype)

    def to(
        self,
        device: torch.device | str,
        dtype: torch.dtype | None = None,
        *,
        compiled: bool = False,
    ) -> GenDeg:
        """Move to a device (see `from_pretrained`); returns itself.

        Beside a UNet in half precision, the autoencoder and the correction are float16 (float32 on
        the CPU): the eight bits of bfloat16 would show in an image.
        """
        target = torch.device(device)
        unet_type = dtype or (torch.float32 if target.type == "cpu" else torch.bfloat16)
        exact = target.type == "cpu" or unet_type is torch.float32
        image_type = torch.float32 if exact else torch.float16
        heavy = {"unet": unet_type, "vae": image_type, "scm": image_type}
        for part, module in self.modules.items():
            if module is not None:
                # diffusers' own `to` logs a warning about an empty list at every change of type.
                nn.Module.to(module, target, heavy.get(part, torch.float32))
                if part in heavy:
                    nn.Module.to(module, memory_format=torch.channels_last)
        unet: Any = self.unet
        self.network = torch.compile(unet) if compiled else unet
        self._encode_prompts()
        return self

    @property
    def device(self) -> torch.device:
        """Where all parts are."""
        return self.unet.device

    @property
    def dtype(self) -> torch.dtype:
        """Of the UNet."""
        return self.unet.dtype

    @torch.inference_mode()
    def condition(self, clean: Tensor) -> Tensor:
        """Latents (N, C, H/8, W/8) of clean images."""
        return condition_latents(self.autoencoder, self._image(clean))

    @torch.inference_mode()
    def reconstruct(self, condition: Tensor) -> Tensor:
        """The autoencoder's image of `condition(clean)`, float32, clamped to [-1, 1]."""
        config = cast(Any, self.autoencoder).config
        return self.decode(condition * config.get("scaling_factor", 1.0))

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> Tensor:
        """Images of generated latents, float32, clamped to [-1, 1]."""
        latents = latents.to(self.device, self._image_type)
        return decode_latents(self.autoencoder, latents).float().clamp(-1, 1)

    @torch.inference_mode()
    def correct(self, clean: Tensor, generated: Tensor) -> Tensor:
        """Structure correction of `generated`, float32, clamped to [-1, 1].

        Raises:
            ValueError: the model has no correction module.
        """
        if self.scm is None:
            raise ValueError("this model has no structure correction module (scm)")
        corrected = self.scm(self._image(clean), self._image(generated))
        return cast(Tensor, corrected).float().clamp(-1, 1)

    @torch.inference_mode()
    def generate(
        self,
        condition: Tensor,
        instructions: Sequence[Instruction],
        sampling: SamplingSettings | None = None,
    ) -> Tensor:
        """Latents of degraded images, float32.

        Args:
            condition: Latents of the clean images, (N, C, h, w), from `condition`, on any device.
            instructions: One for each.
            sampling: Instead of the model's own.
        """
        settings = sampling or self.sampling
        mu = [self.calibration.apply(i.degradation, i.severity[0]) for i in instructions]
        sigma = [i.severity[1] for i in instructions]
        states = self._states(instructions, mu, sigma).to(self.dtype)
        denoise = guided(
            self._predict,
            settings.guidance,
            condition=condition.to(self.device, self.dtype),
            states=states[:-1],
            null_states=states[-1:],
        )
        sampler = SchedulerSampler(settings.sampler, self.schedule, self.device)
        channels, height, width = condition.shape[1:]
        noise = [torch.Generator().manual_seed(i.seed) for i in instructions]
        made = sampler.sample(denoise, (channels, height, width), noise, settings.steps)
        return self.target.decode(
            made,
            condition.to(made),
            torch.tensor(mu, device=made.device),
            torch.tensor(sigma, device=made.device),
            [i.degradation for i in instructions],
        )

    def _states(
        self, instructions: Sequence[Instruction], mu: Sequence[float], sigma: Sequence[float]
    ) -> Tensor:
        """Conditioning states of the instructions and, last, of none: (N + 1, tokens, width)."""
        prompts = [self.prompt_tokenizer.prompt(i.degradation, i.caption) for i in instructions]
        bins = self.conditioner.bins(mu, sigma)
        null = torch.tensor([self.conditioner.null_bin])
        mu_bins, sigma_bins = (torch.cat([b, null]).to(self.device) for b in bins)
        text = self.prompt_encoder.states([*prompts, ""])
        return cast(Tensor, self.conditioner(text, mu_bins, sigma_bins))

    @property
    def _image_type(self) -> torch.dtype:
        return next(cast(nn.Module, self.autoencoder).parameters()).dtype

    def _image(self, images: Tensor) -> Tensor:
        images = images.to(self.device, self._image_type)
        return images.contiguous(memory_format=torch.channels_last)

    def _predict(self, latents: Tensor, timestep: Tensor, states: Tensor) -> Tensor:
        latents = latents.contiguous(memory_format=torch.channels_last)
        (prediction,) = self.network(latents, timestep, states, return_dict=False)
        return cast(Tensor, prediction)

    def _encode_prompts(self) -> None:
        self.prompt_tokenizer = PromptTokenizer(self.tokenizer, captions=self.captions)
        self.prompt_encoder = PromptEncoder(self.prompt_tokenizer, self.text_encoder)
