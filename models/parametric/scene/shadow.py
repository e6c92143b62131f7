"""Shadow: direct light is kept away, and what is left comes from the blue sky.

Inside the umbra each channel is a·x + b of what it was, a < 1, b ≤ 0, on display values (Inoue and
Yamasaki, "Learning from Synthetic Shadows", SynShadow, IEEE TCSVT 2021); red and green lose more
than blue. The matte m mixes it with the lit picture; its edge softens away from where the shadow
begins. The strength is 1 − a; everything darkens with it.
"""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.draw import uniform
from gends.models.parametric.fields.silhouette import MATTES, matte
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter, Scale
from gends.models.pixels import Photo, Plane

VERSION = 1

DARKEST = 0.1
"""Slope a at strength 1, the least of SynShadow."""


def draw(rng: np.random.Generator) -> Parameters:
    """Draw the caster, its direction, the penumbra, and how the umbra loses light.

    x-intercept 0 to 0.25 as in SynShadow; what red and green lose more than blue follows
    its N(0.05, 0.025), cut to 0 to 0.1.
    """
    return {
        "kind": str(rng.choice(MATTES)),
        "direction": uniform(rng, 0.0, 360.0),
        "size": uniform(rng, 0.5, 1.0),
        "penumbra": uniform(rng, 0.002, 0.03),
        "x_intercept": uniform(rng, 0.0, 0.25),
        "blueness": round(float(np.clip(rng.normal(0.05, 0.025), 0, 0.1)), 4),
    }


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Cast the shadow; the renderer makes it dark."""
    rng = np.random.default_rng(seed)
    sharp = matte(
        image.shape[:2],
        rng,
        kind=parameters["kind"],
        direction=parameters["direction"],
        size=parameters["size"],
    )
    cover = _penumbra(sharp, parameters["penumbra"], parameters["direction"])[..., np.newaxis]
    blue = np.float32(parameters["x_intercept"])
    zero = blue + np.float32(parameters["blueness"]) * np.array([1, 0.6, 0], np.float32)

    def render(strength: float) -> Photo:
        lost = np.float32((1 - DARKEST) * strength)
        dark = np.maximum((1 - lost) * (image - lost * zero), 0)
        return np.asarray(image + cover * (dark - image), np.float32)

    return render


def _penumbra(sharp: Plane, width: float, direction: float) -> Plane:
    """Soften the edge: a quarter of `width` where the shadow begins, `width` where it ends."""
    height, columns = sharp.shape
    sigma = max(width * min(sharp.shape), 0.5)
    near, far = (np.asarray(cv2.GaussianBlur(sharp, (0, 0), s)) for s in (sigma / 4, sigma))
    slant = np.deg2rad(direction)
    x = np.linspace(-0.5, 0.5, columns, dtype=np.float32) * np.float32(np.cos(slant))
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, np.newaxis] * np.float32(np.sin(slant))
    ramp = np.clip(np.float32(0.5) + x + y, 0, 1)
    soft = near + ramp * (far - near)
    return np.asarray(np.where(soft < 1 / 512, np.float32(0), soft), np.float32)


SHADOW = Operation(
    name="shadow",
    label=20,
    version=VERSION,
    stage="scene",
    summary="direct light kept away by something outside the picture; bluish inside",
    source="a·x + b inside a matte, ranges of SynShadow (arXiv 2101.01713); mattes are ours",
    parameters={
        "kind": Parameter(meaning="what casts the shadow", choices=MATTES),
        "direction": Parameter(
            meaning="in which it falls, 0 to the right", high=360, unit="degrees"
        ),
        "size": Parameter(meaning="size of what casts it", low=0.2, high=2, unit="of side"),
        "penumbra": Parameter(meaning="softness of its far edge", high=0.2, unit="of side"),
        "x_intercept": Parameter(meaning="value that the deepest umbra brings to black in blue"),
        "blueness": Parameter(meaning="by how much that value is greater in red", high=0.5),
    },
    draw=draw,
    prepare=prepare,
    scale=Scale(name="slope", meaning="light left in the umbra", zero=1, full=DARKEST),
    usual=(0.11, 1.0),
    is_local=True,
)
