"""Pictures through the encoders of the web and back, by the libraries that OpenCV holds.

What decides the bytes beside quality and subsampling is libjpeg-turbo's or libwebp's release:
`versions` names both, for fingerprints.
"""

from __future__ import annotations

import re

import cv2
import numpy as np

from gends.models.degrader import Image

SUBSAMPLINGS: dict[str, int] = {
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    "4:2:2": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
}
"""How finely the two planes of colour are kept: all, every second column, also every second row."""

BLOCK = 8
"""Side of the blocks that JPEG transforms."""


def versions() -> dict[str, str]:
    """Encoders of JPEG and WebP, as this build of OpenCV names them."""
    build = cv2.getBuildInformation()
    return {name.lower(): _line(build, name) for name in ("JPEG", "WEBP")}


def _line(build: str, name: str) -> str:
    found = re.search(rf"^ +{name}: +(.*?) *$", build, re.MULTILINE)
    return found[1] if found else "unknown"


def through_jpeg(
    levels: Image, quality: int, subsampling: str, shift: tuple[int, int] = (0, 0)
) -> Image:
    """Save as a baseline JPEG and open again.

    The grid of blocks begins `shift` pixels (down, right) from the upper left corner, 0 to 7.
    """
    # The picture grows by repeated edges, so that no pixel is lost where blocks are cut.
    top, left = -shift[0] % BLOCK, -shift[1] % BLOCK
    if top or left:
        grown = cv2.copyMakeBorder(levels, top, 0, left, 0, cv2.BORDER_REPLICATE)
        levels = np.asarray(grown, np.uint8)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SUBSAMPLINGS[subsampling]]
    return _coded(levels, ".jpg", options)[top:, left:]


def through_webp(levels: Image, quality: int) -> Image:
    """Save as a lossy WebP, 4:2:0, and open again; quality from 1 to 100."""
    return _coded(levels, ".webp", [cv2.IMWRITE_WEBP_QUALITY, quality])


def _coded(levels: Image, suffix: str, options: list[int]) -> Image:
    _, data = cv2.imencode(suffix, cv2.cvtColor(levels, cv2.COLOR_RGB2BGR), options)
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=decoded), np.uint8)
