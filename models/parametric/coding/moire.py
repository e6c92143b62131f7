"""Moiré: a photograph of a screen that shows the picture.

Light of the screen: each pixel is three upright stripes, red, green and blue, with dark gaps. The
camera stands a little askew and its lens bends lines; its optics and its pixels blur, its Bayer
mosaic samples, bilinear interpolation fills in the colours (the chain of Liu et al., "Demoiréing of
camera-captured screen images", ICASSP 2018, and of Yuan et al., AIM 2019). The shot is then laid
back over the picture. The stripes are written as their Fourier series, each term dimmed by the
blur, which needs no picture of the stripes. The strength blends from the picture to the shot.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from gends.models.parametric.draw import uniform
from gends.models.parametric.filters.tone import decode, encode
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter
from gends.models.pixels import Photo, Plane

VERSION = 1

TILE = 768
"""Side of the part of the picture that is shot at once: bounds the memory."""

HARMONICS = 2
"""Terms of the stripes' Fourier series; the camera's blur leaves nothing of higher ones."""

PRECISION = 2e-3
"""Screen pixels by which a point of the shot may lie beside its own."""

ROUNDS = 30
"""Corrections of a point at most: each leaves less than half of the error."""

Points = npt.NDArray[np.complex128]

PARAMETERS = {
    "pitch": Parameter(meaning="sensor pixels per screen pixel", low=0.8, high=4.0),
    "rotation": Parameter(meaning="roll of the camera", low=-45.0, high=45.0, unit="degrees"),
    "tilt": Parameter(
        meaning="how much nearer the right and the lower side are", low=-0.3, high=0.3, size=2
    ),
    "distortion": Parameter(meaning="radial distortion k1 of the lens", low=-0.1, high=0.1),
    "blur": Parameter(meaning="sigma of the optics' blur", low=0.1, high=3.0, unit="sensor px"),
    "gap": Parameter(meaning="dark part of a stripe's width", high=0.9),
    "exposure": Parameter(meaning="brightness of the shot", low=0.3, high=1.5),
}


def draw(rng: np.random.Generator) -> Parameters:
    """Draw where the camera stands, its blur, and the screen's gaps.

    Pitches lie around two sensor pixels per screen pixel, where the mosaic turns the stripes into
    wide bands; farther off the bands are narrow and faint.
    """
    return {
        "pitch": uniform(rng, 1.88, 2.12),
        "rotation": uniform(rng, -3.0, 3.0),
        "tilt": [uniform(rng, -0.08, 0.08), uniform(rng, -0.08, 0.08)],
        "distortion": uniform(rng, -0.03, 0.03),
        "blur": uniform(rng, 0.3, 0.6),
        "gap": uniform(rng, 0.0, 0.35),
        "exposure": uniform(rng, 0.8, 1.0),
    }


@dataclass(frozen=True, slots=True)
class Camera:
    """Where on the screen a sensor pixel looks, both as complex numbers x + iy in their pixels."""

    centre: complex
    """The middle of the screen, which the sensor's origin sees."""
    turn: complex
    """Screen pixels per sensor pixel, turned by the camera's roll."""
    reach: float
    """Half the screen's diagonal."""
    tilt: tuple[float, float]
    distortion: float

    def screen(self, sensor: Points) -> Points:
        """Points of the screen that points of the sensor see."""
        seen = sensor * self.turn
        radius2 = (np.square(seen.real) + np.square(seen.imag)) / self.reach**2
        bent = 1 + self.distortion * radius2
        across, down = self.tilt
        depth = 1 + (across * seen.real + down * seen.imag) / self.reach
        return np.asarray(self.centre + seen * bent / depth)

    def sensor(self, screen: Points) -> Points:
        """Undo `screen` by taking back the error that is left."""
        found = (screen - self.centre) / self.turn
        for _ in range(ROUNDS):
            error = screen - self.screen(found)
            if max(np.abs(error.real).max(), np.abs(error.imag).max()) < PRECISION:
                break
            found = found + error / self.turn
        return np.asarray(found)


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Take the shot; the renderer blends it in."""
    del seed  # A camera and a screen leave nothing to chance.
    height, width = image.shape[:2]
    angle = np.deg2rad(parameters["rotation"])
    camera = Camera(
        centre=complex(width - 1, height - 1) / 2,
        turn=complex(np.cos(angle), np.sin(angle)) / parameters["pitch"],
        reach=float(np.hypot(width, height) / 2),
        tilt=(parameters["tilt"][0], parameters["tilt"][1]),
        distortion=parameters["distortion"],
    )
    linear = decode(image)
    shot = np.empty_like(linear)
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            rows = np.arange(top, min(top + TILE, height))
            columns = np.arange(left, min(left + TILE, width))
            tile = _tile(linear, camera, parameters, rows, columns)
            shot[top : top + TILE, left : left + TILE] = tile
    shot = np.clip(shot * np.float32(parameters["exposure"]), 0, 1)

    def render(strength: float) -> Photo:
        return encode(linear + np.float32(strength) * (shot - linear))

    return render


def _tile(
    linear: Photo,
    camera: Camera,
    parameters: Parameters,
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
) -> Photo:
    """Part of the picture as the camera sees it, laid back in its place."""
    wanted = camera.sensor(columns[np.newaxis, :] + 1j * rows[:, np.newaxis])
    pitch = parameters["pitch"]
    margin = 4 + int(np.ceil(2 * pitch))
    x0, x1 = int(wanted.real.min()) - margin, int(wanted.real.max()) + margin + 1
    y0, y1 = int(wanted.imag.min()) - margin, int(wanted.imag.max()) + margin + 1
    x, y = np.arange(x0, x1), np.arange(y0, y1)
    seen = camera.screen(x[np.newaxis, :] + 1j * y[:, np.newaxis])
    colours = _demosaiced(_exposed(linear, seen, parameters, x, y), x, y)
    # The shot is made as small as the picture: its own pixels are averaged first.
    small = cv2.GaussianBlur(colours, (0, 0), 0.45 * pitch)
    across = np.asarray(wanted.real - x0, np.float32)
    down = np.asarray(wanted.imag - y0, np.float32)
    return np.asarray(cv2.remap(small, across, down, cv2.INTER_LINEAR))


def _exposed(
    linear: Photo,
    seen: Points,
    parameters: Parameters,
    x: npt.NDArray[np.intp],
    y: npt.NDArray[np.intp],
) -> Plane:
    """Light on every sensor pixel through its own colour of filter (RGGB)."""
    across, down = np.asarray(seen.real, np.float32), np.asarray(seen.imag, np.float32)
    border = cv2.BORDER_REFLECT_101
    light = cv2.remap(linear, across, down, cv2.INTER_LINEAR, borderMode=border)
    colour = np.where(y[:, np.newaxis] % 2 == 0, x % 2, 1 + x % 2)
    mosaic = np.take_along_axis(light, colour[..., np.newaxis], axis=2)[..., 0]
    offset = np.asarray((colour - 1) / 3, np.float32)
    fill = 1 - parameters["gap"]
    stripes = _grating(across - offset, fill / 3, parameters)
    lines = _grating(down, 0.5 + 0.5 * fill, parameters)
    return np.asarray(mosaic * stripes * lines, np.float32)


def _grating(place: Plane, width: float, parameters: Parameters) -> Plane:
    """Bars of `width` about every whole number, blurred by optics and pixel; mean 1."""
    pitch = parameters["pitch"]
    total = np.ones_like(place)
    for order in range(1, HARMONICS + 1):
        frequency = order / pitch
        dimmed = np.sinc(frequency) * np.exp(-2 * (np.pi * parameters["blur"] * frequency) ** 2)
        amplitude = np.float32(2 * np.sinc(order * width) * dimmed)
        total += amplitude * np.cos(np.float32(2 * np.pi * order) * place)
    return np.asarray(total, np.float32)


def _demosaiced(mosaic: Plane, x: npt.NDArray[np.intp], y: npt.NDArray[np.intp]) -> Photo:
    """Fill in two colours of each pixel by bilinear interpolation."""
    even_x, even_y = x % 2 == 0, (y % 2 == 0)[:, np.newaxis]
    red, blue = even_x & even_y, ~even_x & ~even_y
    corners = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 4
    cross = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]], np.float32) / 4
    planes = [(red, corners), (~(red | blue), cross), (blue, corners)]
    return np.asarray(cv2.merge([cv2.filter2D(mosaic * m, -1, kernel) for m, kernel in planes]))


MOIRE = Operation(
    name="moire",
    label=23,
    version=VERSION,
    stage="coding",
    summary="coloured bands of a photographed screen",
    source="screen, Bayer mosaic and demosaicing (Liu et al., ICASSP 2018)",
    parameters=PARAMETERS,
    draw=draw,
    prepare=prepare,
    usual=(0.2, 1.0),
    uses_seed=False,
)
