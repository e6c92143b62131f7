"""Severity conditioning: how a requested mean and spread reach the generator's text states."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn
from torch.nn import functional as F


def bin_index(value: npt.ArrayLike, maximum: float, bins: int = 128) -> npt.NDArray[np.int64]:
    """Which of `bins` uniform bins over [0, maximum] holds each value.

    A bin holds its lower edge; values at or above `maximum` are in the last bin.

    Raises:
        ValueError: a value is negative or not finite.
    """
    values = np.asarray(value, dtype=np.float64)
    if not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError(
            f"severity {values.tolist()} has a negative or non-finite value; "
            "give fractions of the pixel range, 0 or more"
        )
    edges = np.linspace(0, maximum, bins + 1)
    return np.minimum(np.searchsorted(edges, values, side="right") - 1, bins - 1)


class SeverityConditioner(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Puts severity behind the text states and maps the whole back to their width.

    GenDeg (arXiv 2411.17687): mu and sigma as one-hot vectors of bins + 1 entries, the last meaning
    "none given"; one linear map to `tokens`, shared by both; the two results become two extra
    features of each text token; a second linear map, at first the identity on the text, returns to
    the text's width.

    Args:
        width: Features per text token.
        tokens: Text tokens.
        bins: Uniform bins of mu and of sigma.
        mu_max: Upper end of the last bin of mu.
        sigma_max: Upper end of the last bin of sigma.
        severity_init: Weights of the first map at the start of training. "default": independent
            random numbers, as published. "smooth": sinusoids of the bin, so that neighbouring bins
            begin alike, which a small model needs to learn their order from few examples.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        width: int = 768,
        tokens: int = 77,
        bins: int = 128,
        mu_max: float = 0.7,
        sigma_max: float = 0.4,
        severity_init: Literal["default", "smooth"] = "default",
    ) -> None:
        """Initialize both maps."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.severity = nn.Linear(bins + 1, tokens)
        self.fusion = nn.Linear(width + 2, width)
        with torch.no_grad():
            self.fusion.weight[:, :width] = torch.eye(width)
            self.fusion.bias.zero_()
            if severity_init == "smooth":
                self.severity.weight.copy_(_sinusoids(bins, tokens))
                self.severity.bias.zero_()
            elif severity_init != "default":
                raise ValueError(f"severity_init {severity_init!r}: give 'default' or 'smooth'")

    @property
    def null_bin(self) -> int:
        """The index that means "no severity given"."""
        return self.severity.in_features - 1

    def bins(self, mu: Sequence[float], sigma: Sequence[float]) -> tuple[Tensor, Tensor]:
        """Bin indices (N,) int64 of N values of mu and of sigma, fractions of the pixel range."""
        config: Any = self.config
        return (
            torch.from_numpy(bin_index(mu, config.mu_max, config.bins)),
            torch.from_numpy(bin_index(sigma, config.sigma_max, config.bins)),
        )

    def forward(self, text: Tensor, mu_bins: Tensor, sigma_bins: Tensor) -> Tensor:
        """Fuse.

        Args:
            text: Text states, (N, tokens, width).
            mu_bins: int64 (N,), `null_bin` for none.
            sigma_bins: int64 (N,), `null_bin` for none.

        Returns:
            Conditioning states, (N, tokens, width).
        """
        one_hot = F.one_hot(torch.stack([mu_bins, sigma_bins], dim=1), self.null_bin + 1)
        severity = self.severity(one_hot.to(text.dtype))  # (N, 2, tokens)
        fused = self.fusion(torch.cat([text, severity.transpose(1, 2)], dim=2))
        return cast(Tensor, fused)


def _sinusoids(bins: int, tokens: int) -> Tensor:
    """(tokens, bins + 1): half a period to four over the bins, a null column of zeros.

    The argument is the square root of the bin's centre: real severities crowd near zero, and it is
    their relative difference that shows.
    """
    position = ((torch.arange(bins) + 0.5) / bins).sqrt()
    frequency = torch.linspace(0.5, 4, math.ceil(tokens / 2))
    phase = math.pi * 2 * frequency[:, None] * position
    waves = torch.stack([phase.cos(), phase.sin()], dim=1).flatten(0, 1)[:tokens]
    return F.pad(waves, (0, 1))
