"""Defocus: every point of the scene spreads to a disc as wide as it is far from the focal plane.

The radius of the disc is c·|1/d − 1/d_f| (thin lens; Potmesil and Chakravarty, SIGGRAPH 1981). The
scene is cut into layers of equal radius; colour and opacity of each are convolved with its disc,
the layers laid over one another from far to near and divided by their opacity, so that nothing in
focus bleeds into what lies behind it (layers as in Kraus and Strengert, "Depth-of-field rendering
by pyramidal image processing", 2007). What lies before the focal plane covers the rest by its
blurred opacity, and so has soft edges. In linear light, with highlights brighter than the
photograph shows. The strength scales the radius.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gends.models.parametric.depth.procedural import pseudo_depth
from gends.models.parametric.draw import chance, uniform
from gends.models.parametric.fields.matte import filled
from gends.models.parametric.filters.aperture import aperture
from gends.models.parametric.filters.convolution import Convolved
from gends.models.parametric.filters.layers import Layer, Lens, cover, laid
from gends.models.parametric.filters.tone import compress, decode, encode, expand
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter, Scale
from gends.models.pixels import Photo, Plane

VERSION = 1

LAYERS = 12
"""Layers over the whole range of depth."""

KNEE = 0.7
"""Linear display light above which the photograph may have compressed the scene."""

BLADES = (0, 5, 6, 7, 8, 9)

RADIUS = Scale(
    name="radius",
    meaning="radius of the disc where the blur is greatest",
    zero=0.0,
    full=0.045,
    unit="of the shorter side",
)

PARAMETERS = {
    "kind": Parameter(meaning="blur by depth, or everywhere alike", choices=("depth", "uniform")),
    "focus": Parameter(meaning="relative depth of the focal plane"),
    "range": Parameter(
        meaning="distance of the farthest in those of the nearest", low=1.1, high=50
    ),
    "blades": Parameter(meaning="blades of the aperture; 0 for a round one", choices=BLADES),
    "rotation": Parameter(meaning="turn of the aperture", high=360.0, unit="degrees"),
    "cats_eye": Parameter(meaning="part of the disc's diameter cut off in the corners", high=0.8),
    "shoulder": Parameter(meaning="k: white was up to 1/(1 − k) times brighter", high=0.95),
    "horizon": Parameter(meaning="height of the horizon, from above, if depth is a guess"),
    "ground": Parameter(meaning="weight of the ground's plane, if depth is a guess"),
    "cues": Parameter(meaning="weight of the picture's own cues, if depth is a guess"),
}


def draw(rng: np.random.Generator) -> Parameters:
    """Draw focus, aperture and highlights; a third of the blurs are the same everywhere.

    Apertures are round or have five to nine blades; one in four vignettes to a cat's-eye.
    """
    return {
        "kind": "uniform" if chance(rng, 0.35) else "depth",
        "focus": uniform(rng, 0.0, 1.0),
        "range": uniform(rng, 2.0, 12.0),
        "blades": BLADES[int(rng.integers(len(BLADES)))],
        "rotation": uniform(rng, 0.0, 360.0),
        "cats_eye": uniform(rng, 0.2, 0.6) if chance(rng, 0.25) else 0.0,
        "shoulder": uniform(rng, 0.0, 0.85),
        "horizon": uniform(rng, 0.15, 0.5),
        "ground": uniform(rng, 0.5, 1.0),
        "cues": uniform(rng, 0.2, 0.6),
    }


def prepare(
    image: Photo, parameters: Parameters, seed: int, depth: Plane | None = None
) -> Renderer:
    """Bring the picture to the scene's light and find the layers; the renderer blurs them."""
    shoulder = parameters["shoulder"]
    scene = _brightened(decode(image), shoulder)
    lens = Lens(parameters["blades"], parameters["rotation"], parameters["cats_eye"])
    side = min(image.shape[:2])
    if parameters["kind"] == "uniform" and lens.cats_eye == 0.0:
        blurred = _uniform(scene, lens, RADIUS.full * side)
    else:
        blurred = _layered(scene, lens, _layers(image, parameters, seed, depth))

    def render(strength: float) -> Photo:
        light = blurred(RADIUS.value(strength) * side)
        return encode(np.maximum(_dimmed(light, shoulder), 0))

    return render


def _uniform(scene: Photo, lens: Lens, largest: float) -> Callable[[float], Photo]:
    """Radius in pixels → blurred scene, with one disc everywhere."""
    convolved = Convolved(scene, 1.5 * largest)
    return lambda radius: convolved(aperture(radius, lens.blades, lens.rotation))


def _layered(scene: Photo, lens: Lens, layers: list[Layer]) -> Callable[[float], Photo]:
    """Radius in pixels → blurred scene, layer by layer."""
    far = [layer for layer in layers if layer[0] <= 0]
    near = [layer for layer in layers if layer[0] > 0]
    shown = sum((weight for _, weight in far), np.zeros(scene.shape[:2], np.float32))
    behind = filled(scene, shown[..., np.newaxis]) if near else scene

    def blurred(radius: float) -> Photo:
        colour, opacity = laid(scene, far, radius, lens)
        # What nothing shows of the background is a guess, from what is around it.
        guess = np.maximum(np.float32(0.05 * min(radius, 1.0)) - opacity, 0)
        light = (colour + guess * behind) / np.maximum(opacity + guess, np.float32(1e-6))
        if near:
            colour, opacity = laid(scene, near, radius, lens)
            before = colour / np.maximum(opacity, np.float32(1e-6))
            light += cover(near, 1 - shown, radius, lens) * (before - light)
        return np.asarray(light, np.float32)

    return blurred


def _layers(image: Photo, parameters: Parameters, seed: int, depth: Plane | None) -> list[Layer]:
    """Layers from far to near; the weights of neighbours overlap, and all add up to 1."""
    if parameters["kind"] == "uniform":
        return [(-1.0, np.ones(image.shape[:2], np.float32))]
    if depth is None:
        cues = {name: parameters[name] for name in ("horizon", "ground", "cues")}
        depth = pseudo_depth(image, np.random.default_rng(seed), **cues)
    nearness = _nearness(depth, parameters["range"])
    focus = float(_nearness(np.float32(parameters["focus"]), parameters["range"]))
    signed = (nearness - np.float32(focus)) / np.float32(max(focus, 1 - focus))
    centres = np.linspace(-focus, 1 - focus, LAYERS) / max(focus, 1 - focus)
    gap = np.float32(centres[1] - centres[0])
    layers = []
    for centre in centres:
        weight = np.maximum(1 - np.abs(signed - np.float32(centre)) / gap, 0)
        if weight.any():
            layers.append((float(centre), np.asarray(weight, np.float32)))
    return layers


def _nearness(depth: Plane | np.float32, span: float) -> Plane:
    """Inverse distance, 1 nearest and 0 farthest, the farthest `span` times as far."""
    inverse = 1 / (1 + np.float32(span - 1) * depth)
    return np.asarray((inverse - np.float32(1 / span)) / np.float32(1 - 1 / span), np.float32)


def _brightened(linear: Photo, shoulder: float) -> Photo:
    """Light of the scene: what is near white was brighter than the photograph shows."""
    above = np.maximum(linear - np.float32(KNEE), 0) / np.float32(1 - KNEE)
    return np.asarray(linear + np.float32(1 - KNEE) * (expand(above, shoulder) - above))


def _dimmed(scene: Photo, shoulder: float) -> Photo:
    """Undo `_brightened`."""
    above = np.maximum(scene - np.float32(KNEE), 0) / np.float32(1 - KNEE)
    return np.asarray(scene + np.float32(1 - KNEE) * (compress(above, shoulder) - above))


DEFOCUS = Operation(
    name="defocus",
    label=9,
    version=VERSION,
    stage="lens",
    summary="discs of a lens that is focused elsewhere, by depth",
    source="r = c·|1/d − 1/d_f|, layered; radii of ImageNet-C (arXiv 1903.12261)",
    parameters=PARAMETERS,
    draw=draw,
    prepare=prepare,
    usual=(0.12, 0.8),
    scale=RADIUS,
    needs_depth=True,
)
