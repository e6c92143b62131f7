"""What a picture goes through on the web: shrunk, blurred, noisy, saved, enlarged, saved again.

The chain and its ranges are those of RealRestorer's set of web pictures; the second JPEG has a
shifted grid of blocks, as after a crop. The strength leads every part from nothing to what was
drawn, so the parameters say what holds at strength 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from gends.models.parametric.coding.codec import BLOCK, through_jpeg, through_webp
from gends.models.parametric.draw import chance, uniform
from gends.models.parametric.filters.resample import resample, smaller
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter
from gends.models.pixels import Photo, to_float, to_uint8

VERSION = 1

SUBSAMPLING = "4:2:0"
KERNELS = ("area", "bilinear", "bicubic")

PARAMETERS = {
    "resize": Parameter(meaning="size of the smaller copy, on each side", low=0.1, high=1.0),
    "kernel": Parameter(meaning="how the copy is made smaller", choices=KERNELS),
    "up_kernel": Parameter(meaning="how it is made large again", choices=("bilinear", "bicubic")),
    "blur": Parameter(meaning="deviation of the small copy's Gaussian", high=5.0, unit="px"),
    "noise": Parameter(meaning="deviation of the small copy's noise", high=50.0, unit="of 255"),
    "quality": Parameter(meaning="quality of the small copy's JPEG", low=1, high=100),
    "second_quality": Parameter(
        meaning="quality of a JPEG at full size; 100: there is none", low=1, high=100
    ),
    "shift": Parameter(
        meaning="where the blocks of that JPEG begin, down and right",
        high=BLOCK - 1,
        unit="px",
        size=2,
        is_whole=True,
    ),
    "webp_quality": Parameter(
        meaning="quality of a WebP at full size; 100: there is none", low=1, high=100
    ),
    "sharpening": Parameter(meaning="weight of the unsharp mask; 0: there is none", high=3.0),
    "sharpening_sigma": Parameter(
        meaning="deviation of the unsharp mask's Gaussian", low=0.3, high=5.0, unit="px"
    ),
}


def draw(rng: np.random.Generator) -> Parameters:
    """Draw RealRestorer's ranges; second JPEG, WebP and sharpening in 50, 25 and 30 %."""
    return {
        "resize": uniform(rng, 0.5, 0.9),
        "kernel": KERNELS[rng.integers(3)],
        "up_kernel": KERNELS[rng.integers(1, 3)],
        "blur": uniform(rng, 0.1, 1.2) if chance(rng, 0.6) else 0.0,
        "noise": uniform(rng, 1.0, 10.0) if chance(rng, 0.5) else 0.0,
        "quality": int(rng.integers(40, 60) if chance(rng, 0.2) else rng.integers(60, 96)),
        "second_quality": int(rng.integers(60, 96)) if chance(rng, 0.5) else 100,
        "shift": [int(n) for n in rng.integers(1, BLOCK, 2)],
        "webp_quality": int(rng.integers(60, 96)) if chance(rng, 0.25) else 100,
        "sharpening": uniform(rng, 0.3, 1.5) if chance(rng, 0.3) else 0.0,
        "sharpening_sigma": uniform(rng, 0.8, 2.0),
    }


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Draw the noise of the largest copy; smaller ones take its upper left corner."""
    rng = np.random.default_rng(seed)
    has_noise = parameters["noise"] > 0
    field = rng.standard_normal(image.shape, np.float32) if has_noise else np.zeros_like(image)

    def render(strength: float) -> Photo:
        if strength == 0:
            return image
        chain = _Chain(parameters, strength)
        return chain.at_full_size(chain.small_copy(image, field), image.shape[:2])

    return render


@dataclass(frozen=True, slots=True)
class _Chain:
    parameters: Parameters
    strength: float

    def small_copy(self, image: Photo, field: Photo) -> Photo:
        size = smaller(image.shape[:2], 1 / self.toward("resize", 1.0))
        small = _blurred(resample(image, size, self.parameters["kernel"]), self.toward("blur"))
        noise = np.float32(self.toward("noise") / 255) * field[: size[0], : size[1]]
        coded = through_jpeg(to_uint8(small + noise), self.quality("quality"), SUBSAMPLING)
        return to_float(coded)

    def at_full_size(self, small: Photo, size: tuple[int, int]) -> Photo:
        out = resample(small, size, self.parameters["up_kernel"])
        if self.parameters["second_quality"] < 100:
            down, right = (int(n) for n in self.parameters["shift"])
            second = self.quality("second_quality")
            out = to_float(through_jpeg(to_uint8(out), second, SUBSAMPLING, (down, right)))
        if self.parameters["webp_quality"] < 100:
            out = to_float(through_webp(to_uint8(out), self.quality("webp_quality")))
        weight = np.float32(self.toward("sharpening"))
        if weight > 0:
            out = out + weight * (out - _blurred(out, self.parameters["sharpening_sigma"]))
        return np.clip(out, 0, 1)

    def toward(self, name: str, nothing: float = 0.0) -> float:
        return float(nothing + self.strength * (self.parameters[name] - nothing))

    def quality(self, name: str) -> int:
        return round(self.toward(name, 100.0))


def _blurred(image: Photo, sigma: float) -> Photo:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma)) if sigma > 0 else image


WEB = Operation(
    name="web",
    label=26,
    version=VERSION,
    stage="coding",
    summary="resized, blurred, noisy, compressed once or twice, sharpened: a picture off the web",
    source="ranges of RealRestorer's web pictures; second JPEG with a shifted grid as in FBCNN "
    "(arXiv 2109.14573); WebP and sharpening are our reading",
    parameters=PARAMETERS,
    draw=draw,
    prepare=prepare,
    usual=(0.3, 1.0),
)
