"""What was decoded becomes 8-bit sRGB, block by block: photographs may be large."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageCms

BLOCK = 1024
"""Side of what is converted at a time; a conversion takes some forty bytes for each pixel."""
Convert = Callable[[Pillow.Image], Pillow.Image]


def to_rgb(photograph: Pillow.Image, profile: bytes | None) -> Pillow.Image:
    """Convert a decoded photograph of any mode.

    Args:
        photograph: is returned itself where it is RGB already.
        profile: an ICC profile to follow; one that does not fit the picture is ignored.
    """
    deep = photograph.mode.startswith(("I", "F"))
    convert = _deep_grey(photograph) if deep else _colours(photograph, profile)
    if convert is None:
        return photograph
    rgb = Pillow.new("RGB", photograph.size)
    for box in _boxes(photograph):
        rgb.paste(convert(photograph.crop(box)), box[:2])
    return rgb


def _boxes(photograph: Pillow.Image) -> Iterator[tuple[int, int, int, int]]:
    width, height = photograph.size
    for top in range(0, height, BLOCK):
        for left in range(0, width, BLOCK):
            yield left, top, min(left + BLOCK, width), min(top + BLOCK, height)


def _deep_grey(photograph: Pillow.Image) -> Convert:
    # 16 bits are certain; 32-bit integers and floats do not say what white is, so the narrowest
    # range in common use that holds all values is taken.
    ranges = {"I": (255.0, 65535.0), "F": (1.0, 255.0, 65535.0)}.get(photograph.mode, (65535.0,))
    white = ranges[0]
    if len(ranges) > 1:
        largest = max(_numbers(photograph.crop(box)).max() for box in _boxes(photograph))
        white = next((top for top in ranges if largest <= top), ranges[-1])

    def convert(block: Pillow.Image) -> Pillow.Image:
        grey = np.clip(_numbers(block) / white * 255.0, 0, 255).round().astype(np.uint8)
        return Pillow.fromarray(grey).convert("RGB")

    return convert


def _numbers(block: Pillow.Image) -> npt.NDArray[np.float64]:
    return np.nan_to_num(np.asarray(block, dtype=np.float64))


def _colours(photograph: Pillow.Image, profile: bytes | None) -> Convert | None:
    """How to convert blocks of colours or 8-bit grey; None where nothing is to be done."""
    transparent = photograph.has_transparency_data
    mode = "RGB" if transparent or photograph.mode == "P" else photograph.mode
    transform = _transform(mode, profile) if profile else None
    if photograph.mode == "RGB" and not transparent and transform is None:
        return None

    def convert(block: Pillow.Image) -> Pillow.Image:
        if transparent:
            rgba = block.convert("RGBA")
            white = Pillow.new("RGBA", rgba.size, "white")
            block = Pillow.alpha_composite(white, rgba)
        block = block.convert(mode)
        return block.convert("RGB") if transform is None else transform.apply(block)

    return convert


def _transform(mode: str, profile: bytes) -> ImageCms.ImageCmsTransform | None:
    """From a profile to sRGB; None for a damaged or mismatched one, which viewers ignore too."""
    if mode not in ("RGB", "CMYK", "L"):
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (OSError, TypeError, ValueError, ImageCms.PyCMSError):
        return None
