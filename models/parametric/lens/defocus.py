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

import cv2
import numpy as np

from gends.models.parametric.aperture import aperture
from gends.models.parametric.depth import pseudo_depth
from gends.models.parametric.draw import chance, uniform
from gends.models.parametric.matte import filled
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter, Scale
from gends.models.parametric.tone import compress, decode, encode, expand
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
    full=0.03,
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
    scene = _brightened(decode(image), parameters["shoulder"])
    layers = _layers(image, parameters, seed, depth)
    far = [layer for layer in layers if layer[0] <= 0]
    near = [layer for layer in layers if layer[0] > 0]
    shown = sum((weight for _, weight in far), np.zeros(image.shape[:2], np.float32))
    behind = filled(scene, shown[..., np.newaxis]) if near else scene
    side = min(image.shape[:2])

    def render(strength: float) -> Photo:
        radius = RADIUS.value(strength) * side
        colour, opacity = _laid(scene, far, radius, parameters)
        # What nothing shows of the background is a guess, from what is around it.
        guess = np.maximum(np.float32(0.05 * min(radius, 1.0)) - opacity, 0)
        light = (colour + guess * behind) / np.maximum(opacity + guess, np.float32(1e-6))
        if near:
            colour, opacity = _laid(scene, near, radius, parameters)
            before = colour / np.maximum(opacity, np.float32(1e-6))
            light += _cover(near, 1 - shown, radius, parameters) * (before - light)
        return encode(np.maximum(_dimmed(light, parameters["shoulder"]), 0))

    return render


Layer = tuple[float, Plane]
"""Radius in that of the largest disc, positive before the focal plane; weights in [0, 1]."""


def _laid(
    scene: Photo, layers: list[Layer], radius: float, parameters: Parameters
) -> tuple[Photo, Photo]:
    """Lay blurred layers over one another: premultiplied colour, opacity (H, W, 1)."""
    colour = np.zeros_like(scene)
    opacity = np.zeros((*scene.shape[:2], 1), np.float32)
    for share, weight in layers:
        premultiplied = np.dstack([scene * weight[..., np.newaxis], weight])
        blurred = _blurred(premultiplied, radius * abs(share), parameters)
        through = 1 - blurred[..., 3:]
        colour = blurred[..., :3] + through * colour
        opacity = blurred[..., 3:] + through * opacity
    return colour, opacity


def _cover(layers: list[Layer], mask: Plane, radius: float, parameters: Parameters) -> Photo:
    """Opacity (H, W, 1) of all `layers` together, which are what `mask` shows.

    The mask is blurred by the discs of those layers that are seen at the place: within a surface
    whose depth varies nothing shines through.
    """
    total = np.full((*mask.shape, 1), 1e-6, np.float32)
    cover = np.zeros_like(total)
    for share, weight in layers:
        blurred = _blurred(np.dstack([mask, weight]), radius * abs(share), parameters)
        total += blurred[..., 1:]
        cover += blurred[..., 1:] * blurred[..., :1]
    return np.asarray(cover / total)


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


def _blurred(layer: Photo, radius: float, parameters: Parameters) -> Photo:
    """Convolve a layer (H, W, C) with its disc; with cat's-eyes, with one for each of 3×3 parts.

    Opposite parts have the same disc, so that five convolutions do.
    """
    blades, rotation, cut = (parameters[name] for name in ("blades", "rotation", "cats_eye"))
    if cut == 0.0:
        return _convolved(layer, aperture(radius, blades, rotation))
    down, across = (_hats(side) for side in layer.shape[:2])
    reach = np.sqrt(2) * radius * cut
    total = np.zeros_like(layer)
    for y, x in ((0, 0), (0, 1), (1, 0), (1, 1), (1, -1)):
        weight = np.outer(down[y], across[x])
        if (y, x) != (0, 0):
            weight += np.outer(down[-y], across[-x])
        kernel = aperture(radius, blades, rotation, (x * reach, y * reach))
        total += _convolved(layer * weight[..., np.newaxis], kernel)
    return total


def _convolved(layer: Photo, kernel: Plane) -> Photo:
    """Convolve a layer as far as its last channel, its opacity, spreads; the rest stays empty."""
    reach = kernel.shape[0] // 2
    (top, left), (bottom, right) = _bounds(layer[..., -1], reach)
    out = np.zeros_like(layer)
    # filter2D correlates: the flipped kernel makes it a convolution.
    out[top:bottom, left:right] = cv2.filter2D(
        layer[top:bottom, left:right],
        -1,
        cv2.flip(kernel, -1),
        borderType=cv2.BORDER_REFLECT_101 | cv2.BORDER_ISOLATED,
    )
    return out


def _bounds(weight: Plane, reach: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last row and column, `reach` beyond the pixels that are not 0."""
    x, y, width, height = cv2.boundingRect((weight > 0).astype(np.uint8))
    first = (max(0, y - 2 * reach), max(0, x - 2 * reach))
    return first, (y + height + 2 * reach, x + width + 2 * reach)


def _hats(length: int) -> dict[int, Plane]:
    """Smooth weights of the start (−1), the middle (0), the end (1) of a side; they add up to 1."""
    away = {at: np.abs(np.linspace(-1, 1, length) - at) for at in (-1, 0, 1)}
    hats = {at: np.where(a < 1, np.cos(np.pi / 2 * a) ** 2, 0) for at, a in away.items()}
    return {at: np.asarray(hat, np.float32) for at, hat in hats.items()}


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
    usual=(0.06, 0.6),
    scale=RADIUS,
    needs_depth=True,
)
