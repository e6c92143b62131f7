"""Exponential moving average of weights, its warm-up a pure function of the step."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import nn


# Not diffusers' EMAModel: its decay lags one update behind this one and begins with a plain copy,
# so averages would differ from those of runs under way; and it keeps a list of tensors, without
# buffers, that has to be copied into a module before it can be sampled from or saved.
class Ema:
    """Averaged twins of modules, ready to be sampled from and saved.

    The decay of update n (counted from 1) is min(decay, (1 + n) / (10 + n)), as in the latent
    diffusion code GenDeg was trained with: early averages follow the weights closely. It depends
    on the step alone, so the twins' weights are all there is to store.
    """

    modules: dict[str, nn.Module]
    """The twins, in evaluation mode, without gradients; same names as the modules followed."""

    def __init__(self, modules: Mapping[str, nn.Module], decay: float) -> None:
        """Start from the present weights. `decay` in [0, 1); 0 follows the weights exactly."""
        if not 0.0 <= decay < 1.0:
            raise ValueError(f"EMA decay is {decay}; give a value in [0, 1), 0 to switch it off")
        self.decay = decay
        self.modules = {
            name: copy.deepcopy(module).eval().requires_grad_(False)
            for name, module in modules.items()
        }

    @torch.no_grad()
    def update(self, modules: Mapping[str, nn.Module], step: int) -> None:
        """Take in the weights reached after `step` completed steps; buffers are copied."""
        follow = 1.0 - min(self.decay, (1 + step) / (10 + step))
        for name, twin in self.modules.items():
            current = modules[name]
            torch._foreach_lerp_(list(twin.parameters()), list(current.parameters()), follow)
            for kept, buffer in zip(twin.buffers(), current.buffers(), strict=True):
                kept.copy_(buffer)
