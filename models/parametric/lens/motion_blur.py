"""Motion blur: the scene averaged over the time that the shutter is open.

I = K ∗ J in linear light (GoPro's "blur_gamma", Nah et al., CVPR 2017), K the trace of a path; or,
where camera or scene do not move as one, another kernel at every pixel (Whyte et al., "Non-uniform
deblurring for shaken images", IJCV 2012): a roll or a zoom about a point, regions that move in
different ways, an object that moves before a background at rest. Every kernel's centroid lies on
its pixel, so that the pair stays aligned. The strength scales the length of the path.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gends.models.parametric.draw import chance, uniform
from gends.models.parametric.fields.matte import filled, matte
from gends.models.parametric.fields.plasma import plasma
from gends.models.parametric.filters.convolution import Convolved
from gends.models.parametric.filters.tone import compress, decode, encode, expand
from gends.models.parametric.filters.trajectory import path, trace, wobble
from gends.models.parametric.filters.turn import turned
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter, Scale
from gends.models.pixels import Photo

VERSION = 2

LENGTH = Scale(
    name="length",
    meaning="extent of the path; of a roll or zoom, at the farthest corner",
    zero=0.0,
    full=0.18,
    unit="of the shorter side",
)

Blur = Callable[[Photo, Parameters, np.random.Generator], Callable[[float], Photo]]
"""(Scene in linear light, parameters, rng) → (length in pixels → blurred scene)."""

PARAMETERS = {
    "kind": Parameter(
        meaning="what moves: all alike; the camera, rolling or forwards; regions; one object",
        choices=("uniform", "roll", "zoom", "regions", "object"),
    ),
    "angle": Parameter(meaning="direction of the motion", high=180.0, unit="degrees"),
    "bend": Parameter(meaning="turn along the path", low=-360.0, high=360.0, unit="degrees"),
    "tremor": Parameter(meaning="random turns along the path, in quarter turns", high=3.0),
    "unevenness": Parameter(meaning="changes of speed along the path", high=0.95),
    "shoulder": Parameter(meaning="k: white was up to 1/(1 − k) times brighter", high=0.95),
    "centre": Parameter(
        meaning="point about which the camera rolls or zooms, in widths and heights",
        low=-1.0,
        high=2.0,
        size=2,
    ),
    "regions": Parameter(meaning="regions that move apart", low=2, high=4, is_whole=True),
    "size": Parameter(meaning="diameter of the object", low=0.05, unit="of the shorter side"),
}


def draw(rng: np.random.Generator) -> Parameters:
    """Draw what moves, the path's direction and bend, its tremor, the evenness of its speed.

    Half of the blurs are uniform. Two paths in five are straight (panning, ImageNet-C's lines); the
    others bend by up to half a turn, or shake as hands do (random paths of Boracchi and Foi, IEEE
    TIP 2012, as in DeblurGAN, arXiv 1711.07064). White was up to three times brighter than the
    photograph shows, so that highlights leave trails.
    """
    straight = chance(rng, 0.4)
    shaken = not straight and chance(rng, 0.5)
    kind = rng.choice(["uniform", "roll", "zoom", "regions", "object"], p=[0.5, 0.1, 0.1, 0.2, 0.1])
    return {
        "kind": str(kind),
        "angle": uniform(rng, 0.0, 180.0),
        "bend": 0.0 if straight else uniform(rng, -180.0, 180.0),
        "tremor": uniform(rng, 0.3, 1.2) if shaken else 0.0,
        "unevenness": uniform(rng, 0.0, 0.6),
        "shoulder": uniform(rng, 0.0, 0.7),
        "centre": [uniform(rng, 0.2, 0.8), uniform(rng, 0.2, 0.8)],
        "regions": int(rng.integers(2, 5)),
        "size": uniform(rng, 0.4, 0.9),
    }


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Bring the picture to the scene's light and lay out what moves; the renderer blurs."""
    shoulder = parameters["shoulder"]
    rng = np.random.default_rng(seed)
    scene = expand(decode(image), shoulder)
    blurred = BLURS[parameters["kind"]](scene, parameters, rng)
    side = min(image.shape[:2])

    def render(strength: float) -> Photo:
        light = blurred(LENGTH.value(strength) * side)
        return encode(compress(np.maximum(light, 0), shoulder))

    return render


def _uniform(
    scene: Photo, parameters: Parameters, rng: np.random.Generator
) -> Callable[[float], Photo]:
    points = path(parameters, rng)
    convolved = Convolved(scene, _reach(scene))
    return lambda length: convolved(trace(points * length))


def _reach(scene: Photo) -> float:
    return float(LENGTH.full * min(scene.shape[:2]) / 2)


def _turning(
    scene: Photo, parameters: Parameters, rng: np.random.Generator
) -> Callable[[float], Photo]:
    height, width = scene.shape[:2]
    x, y = parameters["centre"]
    centre = (x * (width - 1), y * (height - 1))
    farthest = np.hypot(max(x, 1 - x) * width, max(y, 1 - y) * height)
    speed = 1 + parameters["unevenness"] * np.tanh(wobble(rng, np.linspace(-0.5, 0.5, 64)))
    unit = 1j if parameters["kind"] == "roll" else 1.0
    return lambda length: turned(scene, centre, unit * length / farthest, speed)


def _regions(
    scene: Photo, parameters: Parameters, rng: np.random.Generator
) -> Callable[[float], Photo]:
    """Blend 2 to 4 kernels by smooth masks: each turned by up to 60°, its length 0.3 to 1."""
    count = int(parameters["regions"])
    lengths = rng.permutation(np.linspace(0.3, 1.0, count))
    turns = parameters["angle"] + rng.uniform(-60, 60, count)
    paths = [
        path({**parameters, "angle": turn}, rng) * part
        for turn, part in zip(turns, lengths, strict=True)
    ]
    masks = _masks(scene.shape[:2], count, rng)
    convolved = Convolved(scene, _reach(scene))

    def blurred(length: float) -> Photo:
        parts = [m * convolved(trace(p * length)) for m, p in zip(masks, paths, strict=True)]
        return np.asarray(sum(parts), np.float32)

    return blurred


def _masks(size: tuple[int, int], count: int, rng: np.random.Generator) -> list[Photo]:
    """Smooth masks (H, W, 1) that add up to 1."""
    fields = [np.exp(16 * plasma(size, rng, cells=2.0, octaves=1)) for _ in range(count)]
    total = np.sum(fields, axis=0)
    return [np.asarray(f / total, np.float32)[..., np.newaxis] for f in fields]


def _object(
    scene: Photo, parameters: Parameters, rng: np.random.Generator
) -> Callable[[float], Photo]:
    """I = J + K ∗ (M·J) − M·J − (K ∗ M − M)·B, with the object's matte M and what it hides B."""
    points = path(parameters, rng)
    cover = matte(compress(scene, 1.0), parameters["size"], rng)[..., np.newaxis]
    behind = filled(scene, 1 - cover)
    moving = scene * cover
    still = scene - moving + cover * behind
    convolved = Convolved(np.concatenate([moving, cover], axis=2), _reach(scene))

    def blurred(length: float) -> Photo:
        moved = convolved(trace(points * length))
        return np.asarray(still + moved[..., :3] - moved[..., 3:] * behind)

    return blurred


BLURS: dict[str, Blur] = {
    "uniform": _uniform,
    "roll": _turning,
    "zoom": _turning,
    "regions": _regions,
    "object": _object,
}

MOTION_BLUR = Operation(
    name="motion_blur",
    label=4,
    version=VERSION,
    stage="lens",
    summary="the trace of a moving camera or object",
    source="I = K ∗ J in linear light (GoPro, CVPR 2017); kernels that vary (Whyte, IJCV 2012)",
    parameters=PARAMETERS,
    draw=draw,
    prepare=prepare,
    usual=(0.05, 0.6),
    scale=LENGTH,
)
