"""A mixture as a transform of torch's data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gends.degrading.degrade import degrade
from gends.degrading.mixture import MixtureLike, mixture_of

if TYPE_CHECKING:
    from torch import Tensor


class Degrade:
    """Degrades clean pictures, each call by a new recipe: (3, H, W) to (lq, gt).

    Seeds come from torch's generator of the process, as those of torchvision's transforms do: they
    differ between the workers of a loader and repeat under `torch.manual_seed`.

    >>> import torch
    >>> from gends import Degrade
    >>> degrade = Degrade(["haze", {"op": "noise", "sigma": [5, 25]}])
    >>> lq, gt = degrade(torch.rand(3, 64, 64))
    >>> lq.shape, lq.dtype
    (torch.Size([3, 64, 64]), torch.float32)
    """

    def __init__(self, mixture: MixtureLike) -> None:
        """Take a mixture; for its forms see `gends.degrade`.

        Raises:
            ValueError: it cannot be used.
        """
        self.mixture = mixture_of(mixture)

    def __call__(self, picture: Tensor, seed: int | None = None) -> tuple[Tensor, Tensor]:
        """Degrade one picture.

        Args:
            picture: RGB, (3, H, W), uint8, or float32 in [0, 1], on the CPU.
            seed: Instead of one that is drawn.

        Returns:
            (lq, gt), both of the shape and dtype of `picture`; gt is `picture`.

        Raises:
            ValueError: the picture has another form.
        """
        import torch  # noqa: PLC0415  not needed by builds

        if seed is None:
            seed = int(torch.randint(2**62, ()))
        clean = np.ascontiguousarray(picture.permute(1, 2, 0).numpy())
        lq = degrade(clean, self.mixture, seed).lq
        return torch.from_numpy(np.ascontiguousarray(lq.transpose(2, 0, 1))), picture
