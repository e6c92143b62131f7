"""What other libraries have beside gends' operations, and at which settings they are compared.

A rival is `same` where both compute one formula with one setting; elsewhere both show the same
degradation by different means, and the comparison says what a user pays, not who computes faster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

Run = Callable[[np.ndarray], Any]
"""Degrades a picture, uint8 (H, W, 3)."""


@dataclass(frozen=True, kw_only=True)
class Rival:
    """One function of one library."""

    library: str
    function: str
    make: Callable[[], Run]
    same: bool = False


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How gends' operation is set to be compared, and with what."""

    value: float | None = None
    """Of the quantity that its strength stands for; None: the middle of the usual strengths."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """In the place of drawn ones; where the operation has one of that name."""
    rivals: tuple[Rival, ...] = ()


def _albumentations(function: str, *, same: bool = False, **options: Any) -> Rival:
    def make() -> Run:
        import albumentations  # noqa: PLC0415

        transform = getattr(albumentations, function)(p=1.0, **options)
        return lambda picture: transform(image=picture)["image"]

    return Rival(library="albumentations", function=function, make=make, same=same)


def _imagecorruptions(function: str, severity: int = 3, *, same: bool = False) -> Rival:
    def make() -> Run:
        from imagecorruptions import corrupt  # noqa: PLC0415

        return lambda picture: corrupt(picture, severity, function)

    return Rival(library="imagecorruptions", function=function, make=make, same=same)


def _kornia(function: str, *, same: bool = False, **options: Any) -> Rival:
    def make() -> Run:
        import kornia.augmentation  # noqa: PLC0415

        transform = getattr(kornia.augmentation, function)(p=1.0, **options)

        def run(picture: np.ndarray) -> np.ndarray:
            tensor = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
            out = transform(tensor)[0].permute(1, 2, 0) * 255
            return out.round().clamp(0, 255).byte().numpy()

        return run

    return Rival(library="kornia", function=function, make=make, same=same)


_LINE = {"kind": "line", "bend": 0.0, "tremor": 0.0, "unevenness": 0.0}

COMPARISONS: dict[str, Comparison] = {
    "shadow": Comparison(rivals=(_albumentations("RandomShadow"), _kornia("RandomPlasmaShadow"))),
    "haze": Comparison(rivals=(_albumentations("RandomFog"), _imagecorruptions("fog"))),
    "rain": Comparison(
        rivals=(
            _albumentations("RandomRain"),
            _kornia(
                "RandomRain",
                number_of_drops=(200, 200),
                drop_height=(5, 20),
                drop_width=(-5, 5),
            ),
        )
    ),
    "snow": Comparison(
        rivals=(
            _albumentations("RandomSnow"),
            _imagecorruptions("snow"),
            _kornia("RandomSnow"),
        )
    ),
    "raindrop": Comparison(
        rivals=(_albumentations("Spatter", mode="rain"), _imagecorruptions("spatter", 2))
    ),
    "lens_dirt": Comparison(
        rivals=(_albumentations("Spatter", mode="mud"), _imagecorruptions("spatter", 4))
    ),
    "flare": Comparison(rivals=(_albumentations("RandomSunFlare"),)),
    "motion_blur": Comparison(
        parameters=_LINE,
        rivals=(
            _albumentations("MotionBlur", blur_limit=(31, 31)),
            _imagecorruptions("motion_blur"),
            _kornia("RandomMotionBlur", kernel_size=31, angle=45.0, direction=0.0),
        ),
    ),
    "defocus": Comparison(
        parameters={"kind": "uniform"},
        rivals=(
            _albumentations("Defocus", radius=(6, 6)),
            _imagecorruptions("defocus_blur"),
        ),
    ),
    "chromatic_aberration": Comparison(rivals=(_albumentations("ChromaticAberration"),)),
    "low_light": Comparison(rivals=(_albumentations("RandomGamma", gamma_limit=(300, 300)),)),
    "overexposure": Comparison(
        rivals=(
            _albumentations("RandomBrightnessContrast", brightness_limit=(0.4, 0.4)),
            _imagecorruptions("brightness"),
            _kornia("RandomBrightness", brightness=(1.4, 1.4)),
        )
    ),
    "noise": Comparison(
        value=25,
        parameters={"kind": "gaussian", "channels": "colour"},
        rivals=(
            _albumentations("GaussNoise", std_range=(25 / 255, 25 / 255), same=True),
            _imagecorruptions("gaussian_noise", same=True),
            _kornia("RandomGaussianNoise", std=25 / 255, same=True),
        ),
    ),
    "poisson_noise": Comparison(
        parameters={"channels": "colour"},
        rivals=(_albumentations("ShotNoise"), _imagecorruptions("shot_noise")),
    ),
    "speckle_noise": Comparison(
        parameters={"channels": "colour"},
        rivals=(
            _albumentations("MultiplicativeNoise", per_channel=True, elementwise=True),
            _imagecorruptions("speckle_noise", same=True),
        ),
    ),
    "sensor_noise": Comparison(rivals=(_albumentations("ISONoise"),)),
    "downsampling": Comparison(
        value=4,
        parameters={"kernel": "area", "up_kernel": "nearest", "blur": 0.0},
        rivals=(
            _albumentations(
                "Downscale",
                scale_range=(0.25, 0.25),
                interpolation_pair={"downscale": 3, "upscale": 0},
                same=True,
            ),
            _imagecorruptions("pixelate", 5, same=True),
        ),
    ),
    "quantization": Comparison(
        value=4,
        parameters={"rounding": "floor"},
        rivals=(
            _albumentations("Posterize", num_bits=(4, 4), same=True),
            _kornia("RandomPosterize", bits=(4, 4), same=True),
        ),
    ),
    "jpeg": Comparison(
        value=15,
        parameters={"subsampling": "4:2:0"},
        rivals=(
            _albumentations("ImageCompression", quality_range=(15, 15), same=True),
            _imagecorruptions("jpeg_compression", same=True),
            _kornia("RandomJPEG", jpeg_quality=(15.0, 15.0), same=True),
        ),
    ),
}
"""By operation; the others have no counterpart."""
