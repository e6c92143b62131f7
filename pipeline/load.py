"""Read, decode, orient, convert to RGB, cut to a square: one photograph becomes pictures."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from blake3 import blake3
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps

from gends.pipeline.catalog import read_bytes
from gends.pipeline.config import BuildConfig
from gends.pipeline.types import CleanImage, Crop, Failure, Picture, View


class _UnusableError(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def load_views(views: Sequence[View], base: Path, config: BuildConfig) -> list[Picture | Failure]:
    """Load the pictures of views; a photograph that several neighbours share is decoded once."""
    loaded: list[Picture | Failure] = []
    previous: CleanImage | None = None
    photograph: Pillow.Image | Failure
    digest = ""
    for view in views:
        if view.clean != previous:
            photograph, digest = _open(view.clean, base, config)
            previous = view.clean
        if isinstance(photograph, Failure):
            loaded.append(photograph)
        else:
            loaded.append(Picture(pixels=cut(photograph, view.crop, config), blake3=digest))
    return loaded


def _open(clean: CleanImage, base: Path, config: BuildConfig) -> tuple[Pillow.Image | Failure, str]:
    if clean.duplicate_of is not None:
        return Failure(code="duplicate", detail=f"same bytes as {clean.duplicate_of}"), ""
    try:
        data = read_bytes(base, clean)
    except (OSError, ValueError) as error:
        detail = getattr(error, "strerror", None) or str(error)
        return Failure(code="unreadable", detail=f"{clean.uri}: {detail}"), ""
    digest = blake3(data).hexdigest()
    try:
        return decode(data, config), digest
    except _UnusableError as error:
        return Failure(code=error.code, detail=f"{clean.uri}: {error}", blake3=digest), digest


def decode(data: bytes, config: BuildConfig) -> Pillow.Image:
    """Decode an encoded photograph into an upright 8-bit sRGB image.

    Alpha is laid over white, an animation gives its first frame, 16 bits are scaled to 8 (Pillow's
    own conversion would clip them), an embedded colour profile is followed.

    Raises:
        _UnusableError: not decodable, too large (checked before decoding) or too small.
    """
    smallest = config.min_side or config.resolution
    try:
        with warnings.catch_warnings():
            # The header's size is checked below against the configured bound, not Pillow's.
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
            photograph = Pillow.open(io.BytesIO(data))
        if math.prod(photograph.size) > config.max_pixels:
            raise _UnusableError(
                "too_large", f"{_size(photograph)} is over max_pixels = {config.max_pixels}"
            )
        if min(photograph.size) < smallest:
            raise _UnusableError(
                "too_small", f"{_size(photograph)} has a side under {smallest} (see min_side)"
            )
        return _to_rgb(ImageOps.exif_transpose(photograph))
    except _UnusableError:
        raise
    except Pillow.DecompressionBombError as error:
        raise _UnusableError("too_large", str(error)) from error
    except Exception as error:  # decoders raise anything from SyntaxError to struct.error
        raise _UnusableError("undecodable", f"{type(error).__name__}: {error}") from error


def _size(photograph: Pillow.Image) -> str:
    return f"{photograph.width}x{photograph.height}"


def _to_rgb(photograph: Pillow.Image) -> Pillow.Image:
    if photograph.mode.startswith("I") or photograph.mode == "F":
        values = np.asarray(photograph, dtype=np.float64)
        highest = 255.0 if values.max() <= 255 else 65535.0
        grey = np.clip(values / highest * 255.0, 0, 255).round().astype(np.uint8)
        return Pillow.fromarray(grey).convert("RGB")
    profile = photograph.info.get("icc_profile")
    if photograph.has_transparency_data:
        rgba = photograph.convert("RGBA")
        white = Pillow.new("RGBA", rgba.size, "white")
        photograph = Pillow.alpha_composite(white, rgba).convert("RGB")
    if profile and photograph.mode in ("RGB", "CMYK", "L"):
        photograph = _to_srgb(photograph, profile)
    return photograph.convert("RGB")


def _to_srgb(photograph: Pillow.Image, profile: bytes) -> Pillow.Image:
    try:
        converted = ImageCms.profileToProfile(
            photograph,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            outputMode="RGB",
        )
    except ImageCms.PyCMSError:
        return photograph  # a damaged or mismatched profile: viewers ignore it too
    return converted if converted is not None else photograph


def cut(photograph: Pillow.Image, crop: Crop | None, config: BuildConfig) -> np.ndarray:
    """Cut and resize (Lanczos) a photograph to a square picture, uint8 (R, R, 3)."""
    side = config.resolution
    width, height = photograph.size
    if config.fit == "squash":
        box = (0.0, 0.0, float(width), float(height))
    else:
        short = min(width, height)
        zoom, x, y = (1.0, 0.5, 0.5) if crop is None else (crop.zoom, crop.x, crop.y)
        # Log-uniform between the resolution and the short side: equal shares for equal ratios.
        window = short if short <= side else round(side * (short / side) ** zoom)
        left, top = round((width - window) * x), round((height - window) * y)
        box = (left, top, left + window, top + window)
    resized = photograph.resize((side, side), Pillow.Resampling.LANCZOS, box=box)
    return np.ascontiguousarray(resized)
