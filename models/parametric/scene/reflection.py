"""Reflection: a window pane mirrors another scene over the one behind it.

I = T + R in linear light: T the scene, a little darker through the pane, R another scene, out of
focus, doubled by the pane's two faces (Shih et al., CVPR 2015), stronger to one side, and lowered
until it no longer clips (Fan et al., ICCV 2017, arXiv 1708.03474; Zhang et al., CVPR 2018). An
operation knows no second photograph: R is the picture's own, turned about and enlarged, or a
procedural dark room with lamps. That is our reading.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from gends.models.parametric.draw import chance, log_uniform, uniform
from gends.models.parametric.fields.plasma import plasma
from gends.models.parametric.filters.soften import soften
from gends.models.parametric.filters.tone import decode, encode
from gends.models.parametric.operation import Operation, Parameters, Renderer, Size
from gends.models.parametric.parameter import Parameter
from gends.models.pixels import Photo, Plane

VERSION = 1

EXCESS = 1.3
"""How much more than the mean excess over white is taken off the reflection (Fan et al.)."""


def draw(rng: np.random.Generator) -> Parameters:
    """Draw what is mirrored, how bright, how blurred, how doubled, and from which side."""
    return {
        "content": "interior" if chance(rng, 0.35) else "mirrored",
        "zoom": uniform(rng, 1.1, 2.5),
        "brightness": uniform(rng, 0.3, 0.9),
        "absorption": uniform(rng, 0.05, 0.4),
        "blur": log_uniform(rng, 0.002, 0.016),
        "ghost_shift": uniform(rng, 0.008, 0.04) if chance(rng, 0.6) else 0.0,
        "ghost_angle": uniform(rng, 0.0, 360.0),
        "ghost_share": uniform(rng, 0.25, 0.5),
        "vignette": uniform(rng, 0.0, 1.0),
        "side": uniform(rng, 0.0, 360.0),
    }


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Make the reflection at full strength."""
    scene = decode(image)
    mask = vignette(image.shape[:2], parameters)[..., np.newaxis]
    through = 1 - np.float32(parameters["absorption"]) * mask
    other = mask * mirrored(scene, parameters, np.random.default_rng(seed))
    behind = scene * through
    total = behind + other
    over = total > 1
    excess = np.float32((total[over] - 1).mean() if over.any() else 0)
    change = np.maximum(other - np.float32(EXCESS) * excess, 0) + behind - scene

    def render(strength: float) -> Photo:
        return encode(np.clip(scene + np.float32(strength) * change, 0, 1))

    return render


def mirrored(scene: Photo, parameters: Parameters, rng: np.random.Generator) -> Photo:
    """The other scene as the pane shows it, in linear light, (H, W, 3)."""
    size, side = scene.shape[:2], min(scene.shape[:2])
    if parameters["content"] == "interior":
        other = _interior(size, rng)
    else:
        other = _turned(scene, parameters["zoom"], rng)
    other = np.maximum(soften(other, parameters["blur"] * side), 0)
    return np.asarray(np.float32(parameters["brightness"]) * _doubled(other, parameters))


def vignette(size: Size, parameters: Parameters) -> Plane:
    """Weight in [0, 1] of the reflection, 1 on one side and 1 − `vignette` on the other."""
    angle = np.deg2rad(parameters["side"])
    x = np.linspace(-1, 1, size[1], dtype=np.float32)
    y = np.linspace(-1, 1, size[0], dtype=np.float32)[:, np.newaxis]
    toward = (x * np.float32(np.cos(angle)) - y * np.float32(np.sin(angle)) + 1) / 2
    ramp = np.clip(toward, 0, 1)
    return np.asarray(1 - np.float32(parameters["vignette"]) * (1 - ramp * ramp * (3 - 2 * ramp)))


def _doubled(other: Photo, parameters: Parameters) -> Photo:
    """Sum of the mirror images of the pane's front and back."""
    length = parameters["ghost_shift"] * min(other.shape[:2])
    if not length:
        return other
    angle = np.deg2rad(parameters["ghost_angle"])
    move = np.array([[1, 0, length * np.cos(angle)], [0, 1, -length * np.sin(angle)]])
    shape = (other.shape[1], other.shape[0])
    second = cv2.warpAffine(other, move, shape, borderMode=cv2.BORDER_REFLECT)
    share = np.float32(parameters["ghost_share"])
    return np.asarray(other + share * (second - other), np.float32)


def _turned(scene: Photo, zoom: float, rng: np.random.Generator) -> Photo:
    """A part of the picture, left and right exchanged as in a mirror, enlarged `zoom` times.

    It is taken far from where it is put, and leans a little.
    """
    height, width = scene.shape[:2]
    lean = np.deg2rad(rng.uniform(-8, 8))
    centre = np.array([width, height]) * rng.uniform(0.3, 0.7, 2)
    turn = np.array([[-np.cos(lean), np.sin(lean)], [np.sin(lean), np.cos(lean)]]) / zoom
    offset = centre - turn @ (np.array([width, height]) / 2)
    move = np.column_stack([turn, offset])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(scene, move, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT)
    )


def _interior(size: Size, rng: np.random.Generator) -> Photo:
    """A dark room: walls, furniture, lit windows and lamps, in linear light."""
    height, width = size
    side = min(size)
    tint = np.array([1.0, 0.85, 0.65], np.float32)
    room = (0.06 * plasma(size, rng, cells=2.0, octaves=2))[..., np.newaxis] * tint
    for _ in range(int(rng.integers(8, 20))):
        colour = (0.25 * rng.random(3) ** 2 * tint).tolist()
        _rectangle(room, rng.uniform((0, 0.3), (1, 1)), rng.uniform(0.05, 0.35, 2), colour)
    for _ in range(int(rng.integers(1, 4))):
        colour = (rng.uniform(0.4, 1.2) * np.array([0.9, 1, 1.1])).tolist()
        _window(room, rng.uniform((0, 0), (1, 0.6)), rng.uniform(0.1, 0.35, 2), colour)
    for _ in range(int(rng.integers(2, 8))):
        place = rng.uniform((0, 0), (width, 0.6 * height))
        colour = (rng.uniform(1, 3) * tint).tolist()
        radius = max(1, round(side * rng.uniform(0.01, 0.04)))
        cv2.circle(room, (int(place[0]), int(place[1])), radius, colour, -1)
    return np.asarray(room + np.float32(0.6) * soften(room, 0.05 * side), np.float32)


def _window(
    room: Photo,
    place: npt.NDArray[np.float64],
    extent: npt.NDArray[np.float64],
    colour: list[float],
) -> None:
    """Panes two by three with a frame between them."""
    pane = extent / (2, 3)
    for column in range(2):
        for row in range(3):
            middle = place + pane * (column - 0.5, row - 1)
            _rectangle(room, middle, 0.9 * pane, [c * (1.1 - 0.2 * row) for c in colour])


def _rectangle(
    room: Photo,
    place: npt.NDArray[np.float64],
    extent: npt.NDArray[np.float64],
    colour: list[float],
) -> None:
    shape = np.array([room.shape[1], room.shape[0]])
    first, last = (place - extent / 2) * shape, (place + extent / 2) * shape
    cv2.rectangle(room, first.astype(int).tolist(), last.astype(int).tolist(), colour, -1)


REFLECTION = Operation(
    name="reflection",
    label=13,
    version=VERSION,
    stage="scene",
    summary="another scene mirrored in a window pane, blurred and doubled",
    source="I = T + R in linear light (arXiv 1708.03474; CVPR 2015 ghosting); R is our reading",
    parameters={
        "content": Parameter(meaning="what is mirrored", choices=("mirrored", "interior")),
        "zoom": Parameter(meaning="how much the mirrored part is enlarged", low=1, high=5),
        "brightness": Parameter(meaning="light of the reflection over that of its scene", high=2),
        "absorption": Parameter(meaning="light of the scene behind that the pane keeps"),
        "blur": Parameter(
            meaning="standard deviation of the reflection's blur",
            high=0.1,
            unit="of the shorter side",
        ),
        "ghost_shift": Parameter(
            meaning="distance of the second image", high=0.2, unit="of the shorter side"
        ),
        "ghost_angle": Parameter(
            meaning="direction of the second image, anticlockwise from the right",
            low=-360,
            high=360,
            unit="degrees",
        ),
        "ghost_share": Parameter(meaning="light of the second image in that of both"),
        "vignette": Parameter(meaning="how much weaker it is on its far side"),
        "side": Parameter(
            meaning="direction of its near side, anticlockwise from the right",
            low=-360,
            high=360,
            unit="degrees",
        ),
    },
    draw=draw,
    prepare=prepare,
    usual=(0.1, 1.0),
)
