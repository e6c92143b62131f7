"""Keeps of a painted picture what its degradation may do to a photograph, and nothing else.

A latent diffusion model redraws what it should only degrade: texture turns to blotches, edges
move, colours speckle. A restorer that learns from such pairs learns to smooth. So the painted
picture is read as the parameters of how its degradation forms an image, fitted to the photograph:
tones that follow it (haze, low light) and the strength of noise (low light), a veil and bright
bodies (rain, snow), covered places (raindrops), one kernel (motion blur). What is painted stays the
model's, what is behind it is the photograph's.
"""

from __future__ import annotations

from collections.abc import Callable

from gends.models.anchoring.drops import drops_on
from gends.models.anchoring.kernel import blurred_like
from gends.models.anchoring.noise import noise_like
from gends.models.anchoring.particles import rain_on, snow_on
from gends.models.anchoring.tones import haze_on, low_light_on
from gends.models.degrader import Image
from gends.models.pixels import Photo, to_float, to_uint8

VERSION = 3
"""Raised whenever the same arguments give other bytes."""
FORMATIONS: dict[str, Callable[[Photo, Photo], Photo]] = {
    "haze": haze_on,
    "rain": rain_on,
    "snow": snow_on,
    "motion_blur": blurred_like,
    "low_light": low_light_on,
    "raindrop": drops_on,
}
"""Degradation → (photograph, painted) → degraded picture."""
NOISY = frozenset({"low_light"})
"""Degradations whose pictures are noisy besides."""


def anchor(
    degradation: str, photograph: Image, painted: Image, reference: Image, *, seed: int
) -> Image:
    """The photograph, degraded as `painted` is.

    Args:
        degradation: a key of `FORMATIONS`.
        photograph: uint8 (H, W, 3).
        painted: the same size.
        reference: what `painted` would be were nothing painted: the photograph, or what the
            autoencoder makes of it where its losses are in `painted`, too.
        seed: of the noise, if the degradation has any.

    Returns:
        uint8 (H, W, 3).
    """
    clean = to_float(photograph)
    wanted = clean + to_float(painted) - to_float(reference)
    degraded = FORMATIONS[degradation](clean, wanted)
    if degradation in NOISY:
        degraded = degraded + noise_like(wanted - degraded, seed)
    return to_uint8(degraded)
