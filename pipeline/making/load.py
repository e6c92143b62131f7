"""Read, decode, orient, convert to RGB, cut to a square: one photograph becomes pictures."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from blake3 import blake3
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps, UnidentifiedImageError

from gends.models.degrader import Image
from gends.pipeline.photographs.encoded import read_bytes
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.storage.faults import fault_point
from gends.pipeline.types import CleanImage, Crop, Failure, Picture, View


class UnusableError(Exception):
    """A photograph that cannot be used; `code` is the reason as manifests name it."""

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
    if clean.problem is not None:
        return Failure(code="bad_source", detail=f"{clean.uri}: {clean.problem}"), ""
    if clean.duplicate_of is not None:
        first = clean.duplicate_of
        detail = f"{first} is listed again" if first == clean.uri else f"same bytes as {first}"
        return Failure(code="duplicate", detail=detail), ""
    try:
        data = read_bytes(base, clean)
    except (OSError, ValueError) as error:
        if not base.exists():
            # The disk is away, not one photograph: the build is to stop, not to fail all requests.
            raise OSError(f"the photographs' folder {base} is not there any more") from error
        detail = getattr(error, "strerror", None) or str(error)
        return Failure(code="unreadable", detail=f"{clean.uri}: {detail}"), ""
    digest = blake3(data).hexdigest()
    fault_point(f"decode.{clean.uri}")
    try:
        return decode(data, config), digest
    except UnusableError as error:
        return Failure(code=error.code, detail=f"{clean.uri}: {error}", blake3=digest), digest


def decode(data: bytes, config: BuildConfig) -> Pillow.Image:
    """Decode an encoded photograph into an upright 8-bit sRGB image.

    Alpha is laid over white, an animation gives its first frame, 16 bits are scaled to 8 (Pillow's
    own conversion would clip them), an embedded colour profile is followed.

    Raises:
        UnusableError: not decodable, too large (checked before decoding) or too small.
    """
    smallest = config.min_side or config.resolution
    try:
        photograph = _read_header(data)
        if math.prod(photograph.size) > config.max_pixels:
            raise UnusableError(
                "too_large", f"{_size(photograph)} is over max_pixels = {config.max_pixels}"
            )
        if min(photograph.size) < smallest:
            raise UnusableError(
                "too_small", f"{_size(photograph)} has a side under {smallest} (see min_side)"
            )
        return _to_rgb(ImageOps.exif_transpose(photograph))
    except UnusableError:
        raise
    except UnidentifiedImageError as error:
        # Its own text holds a memory address, and manifests are reproducible.
        raise UnusableError("undecodable", "not an image of a known format") from error
    except Pillow.DecompressionBombError as error:
        # Of a picture inside of the file. Pillow's bound is above ours, and its text names it.
        detail = f"it holds a picture over max_pixels = {config.max_pixels}"
        raise UnusableError("too_large", detail) from error
    except Exception as error:  # decoders raise anything from SyntaxError to struct.error
        raise UnusableError("undecodable", f"{type(error).__name__}: {error}") from error


def _read_header(data: bytes) -> Pillow.Image:
    """Open an image without Pillow's own bound: its size is held against the configured one."""
    bound, Pillow.MAX_IMAGE_PIXELS = Pillow.MAX_IMAGE_PIXELS, None
    try:
        return Pillow.open(io.BytesIO(data))
    finally:
        Pillow.MAX_IMAGE_PIXELS = bound


def _size(photograph: Pillow.Image) -> str:
    return f"{photograph.width}x{photograph.height}"


def _to_rgb(photograph: Pillow.Image) -> Pillow.Image:
    if photograph.mode.startswith(("I", "F")):
        return _deep_grey(photograph).convert("RGB")
    profile = photograph.info.get("icc_profile")
    if photograph.has_transparency_data:
        rgba = photograph.convert("RGBA")
        white = Pillow.new("RGBA", rgba.size, "white")
        photograph = Pillow.alpha_composite(white, rgba).convert("RGB")
    elif photograph.mode == "P":
        photograph = photograph.convert("RGB")
    if profile and photograph.mode in ("RGB", "CMYK", "L"):
        photograph = _to_srgb(photograph, profile)
    return photograph.convert("RGB")


def _deep_grey(photograph: Pillow.Image) -> Pillow.Image:
    values = np.nan_to_num(np.asarray(photograph, dtype=np.float64))
    # 16 bits are certain; 32-bit integers and floats do not say what white is, so the narrowest
    # range in common use that holds all values is taken.
    ranges = {"I": (255.0, 65535.0), "F": (1.0, 255.0, 65535.0)}.get(photograph.mode, (65535.0,))
    white = next((top for top in ranges if values.max() <= top), ranges[-1])
    return Pillow.fromarray(np.clip(values / white * 255.0, 0, 255).round().astype(np.uint8))


def _to_srgb(photograph: Pillow.Image, profile: bytes) -> Pillow.Image:
    try:
        converted = ImageCms.profileToProfile(
            photograph,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            outputMode="RGB",
        )
    except (OSError, ImageCms.PyCMSError):
        return photograph  # a damaged or mismatched profile: viewers ignore it too
    return converted if converted is not None else photograph


def cut(photograph: Pillow.Image, crop: Crop | None, config: BuildConfig) -> Image:
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
    return np.array(resized)  # a copy: Pillow's own buffer is read-only
