"""Chromatic aberration: a lens that bends red, green and blue light differently.

Lateral: red and blue are magnified against green about the optical axis. Axial: they are out of
focus where green is in focus. Purple fringe: red and blue light of clipped highlights spreads
around them. In linear light; green stays where it is, and with it the pair. Magnifications of
0.05 to 0.4 % as measured on consumer lenses (Mallon and Whelan, "Calibration and removal of lateral
chromatic aberration", 2007); the fringe is our reading. The strength scales all three.
"""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.draw import chance, uniform
from gends.models.parametric.filters.tone import decode, encode
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter, Scale
from gends.models.pixels import Photo, Plane

VERSION = 1

CLIPPED = 0.75
"""Linear display light from which a pixel counts as a clipped highlight."""

FRINGE = (0.55, 0.0, 1.0)
"""Light of the fringe."""

MAGNIFICATION = Scale(
    name="magnification",
    meaning="by how much more red is magnified than green, at most",
    zero=0.0,
    full=0.02,
)

PARAMETERS = {
    "red": Parameter(meaning="magnification of red, in the largest", low=-1.0),
    "blue": Parameter(meaning="magnification of blue, in the largest", low=-1.0),
    "axial": Parameter(
        meaning="sigma of the blur of red and of blue at full strength",
        high=0.05,
        unit="of the shorter side",
        size=2,
    ),
    "fringe": Parameter(meaning="light of the purple fringe at full strength", high=2.0),
    "reach": Parameter(
        meaning="sigma of the purple fringe", low=0.001, high=0.05, unit="of the shorter side"
    ),
}


def draw(rng: np.random.Generator) -> Parameters:
    """Draw which way each colour is magnified, how far out of focus it is, and the fringe.

    Red and blue mostly go apart; with one lens in five they go the same way, as where the
    secondary spectrum rules. Every second lens has a fringe.
    """
    sign = 1.0 if chance(rng, 0.5) else -1.0
    same = chance(rng, 0.2)
    blue = uniform(rng, 0.5, 1.0)
    return {
        "red": sign * uniform(rng, 0.7, 1.0),
        "blue": sign * blue if same else -sign * blue,
        "axial": [uniform(rng, 0.001, 0.005), uniform(rng, 0.002, 0.009)],
        "fringe": uniform(rng, 0.2, 0.9) if chance(rng, 0.5) else 0.0,
        "reach": uniform(rng, 0.004, 0.012),
    }


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Bring the picture to linear light and find what the fringe surrounds."""
    del seed  # The lens is the same wherever one looks.
    red, green, blue = np.ascontiguousarray(np.moveaxis(decode(image), 2, 0))
    side = min(image.shape[:2])
    glow = _glow(red, green, blue, parameters["reach"] * side)

    def render(strength: float) -> Photo:
        excess = MAGNIFICATION.value(strength)
        planes = []
        for plane, name, sigma in zip(
            (red, blue), ("red", "blue"), parameters["axial"], strict=True
        ):
            larger = magnified(plane, 1 + excess * parameters[name])
            planes.append(_softened(larger, sigma * side * strength))
        linear = cv2.merge([planes[0], green, planes[1]])
        fringe = np.float32(parameters["fringe"] * strength) * np.asarray(FRINGE, np.float32)
        linear += fringe * glow[..., np.newaxis] * np.maximum(1 - linear, 0)
        return encode(np.clip(linear, 0, None))

    return render


def magnified(plane: Plane, factor: float) -> Plane:
    """Scale a plane about its centre."""
    height, width = plane.shape
    keep = 1 / factor
    matrix = np.array(
        [[keep, 0, (1 - keep) * (width - 1) / 2], [0, keep, (1 - keep) * (height - 1) / 2]]
    )
    larger = cv2.warpAffine(
        plane,
        matrix,
        (width, height),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(larger, np.float32)


def _softened(plane: Plane, sigma: float) -> Plane:
    """Gaussian blur whose kernel goes to a single pixel as sigma goes to 0."""
    if sigma <= 0:
        return plane
    return np.asarray(
        cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101), np.float32
    )


def _glow(red: Plane, green: Plane, blue: Plane, sigma: float) -> Plane:
    """Light of the highlights that spreads into what is dark beside them, in [0, 1]."""
    least = np.minimum(np.minimum(red, green), blue)
    clipped = np.clip((least - np.float32(CLIPPED)) / np.float32(1 - CLIPPED), 0, 1)
    return np.asarray(_softened(clipped, sigma) * (1 - clipped), np.float32)


CHROMATIC_ABERRATION = Operation(
    name="chromatic_aberration",
    label=16,
    version=VERSION,
    stage="lens",
    summary="colours that a lens spreads apart, and purple fringes",
    source="lateral and axial colour about green (Mallon and Whelan, 2007); fringe: our reading",
    parameters=PARAMETERS,
    draw=draw,
    prepare=prepare,
    usual=(0.03, 0.4),
    uses_seed=False,
    scale=MAGNIFICATION,
)
