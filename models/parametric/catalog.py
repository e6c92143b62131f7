"""All operations there are, in the order in which light meets them on its way to the file."""

from __future__ import annotations

from gends.models.parametric.coding.double_jpeg import DOUBLE_JPEG
from gends.models.parametric.coding.downsampling import DOWNSAMPLING
from gends.models.parametric.coding.jpeg import JPEG
from gends.models.parametric.coding.moire import MOIRE
from gends.models.parametric.coding.quantization import QUANTIZATION
from gends.models.parametric.coding.web import WEB
from gends.models.parametric.lens.chromatic_aberration import CHROMATIC_ABERRATION
from gends.models.parametric.lens.defocus import DEFOCUS
from gends.models.parametric.lens.flare import FLARE
from gends.models.parametric.lens.lens_dirt import LENS_DIRT
from gends.models.parametric.lens.motion_blur import MOTION_BLUR
from gends.models.parametric.lens.raindrop import RAINDROP
from gends.models.parametric.operation import Operation
from gends.models.parametric.scene.haze import HAZE
from gends.models.parametric.scene.rain import RAIN
from gends.models.parametric.scene.reflection import REFLECTION
from gends.models.parametric.scene.sandstorm import SANDSTORM
from gends.models.parametric.scene.shadow import SHADOW
from gends.models.parametric.scene.snow import SNOW
from gends.models.parametric.scene.underwater import UNDERWATER
from gends.models.parametric.sensor.banding import BANDING
from gends.models.parametric.sensor.low_light import LOW_LIGHT
from gends.models.parametric.sensor.noise import NOISE
from gends.models.parametric.sensor.overexposure import OVEREXPOSURE
from gends.models.parametric.sensor.poisson_noise import POISSON_NOISE
from gends.models.parametric.sensor.sensor_noise import SENSOR_NOISE
from gends.models.parametric.sensor.speckle_noise import SPECKLE_NOISE

OPERATIONS: dict[str, Operation] = {
    o.name: o
    for o in (
        # scene
        SHADOW,
        HAZE,
        SANDSTORM,
        UNDERWATER,
        RAIN,
        SNOW,
        REFLECTION,
        # lens
        RAINDROP,
        LENS_DIRT,
        FLARE,
        MOTION_BLUR,
        DEFOCUS,
        CHROMATIC_ABERRATION,
        # sensor
        LOW_LIGHT,
        OVEREXPOSURE,
        NOISE,
        POISSON_NOISE,
        SPECKLE_NOISE,
        SENSOR_NOISE,
        BANDING,
        # coding
        MOIRE,
        DOWNSAMPLING,
        QUANTIZATION,
        JPEG,
        DOUBLE_JPEG,
        WEB,
    )
}
"""By name; their order is the canonical order of steps."""


def operation_named(name: str) -> Operation:
    """The operation of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in OPERATIONS:
        raise ValueError(f"there is no operation {name!r}; there are {', '.join(OPERATIONS)}")
    return OPERATIONS[name]
