"""Read, decode, orient, convert to RGB, cut to a square: one photograph becomes pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from blake3 import blake3
from PIL import ExifTags, UnidentifiedImageError
from PIL import Image as Pillow

from gends.models.degrader import Image
from gends.pictures.decoding_bytes import BYTES_PER_PIXEL, TooLargeError
from gends.pictures.formats import open_image, unreadable_data
from gends.pipeline.photographs.encoded import file_of, read_bytes, written_ns
from gends.pipeline.photographs.metadata import without_broken_metadata
from gends.pipeline.photographs.neighbours import Neighbours
from gends.pipeline.photographs.rgb import to_rgb
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.storage.faults import fault_point
from gends.pipeline.storage.store import StorageError
from gends.pipeline.types import CleanImage, Crop, Failure, Move, Picture, View


class UnusableError(Exception):
    """A photograph that cannot be used; `code` is the reason as manifests name it."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def load_views(
    views: Sequence[View],
    base: Path,
    config: BuildConfig,
    neighbours: Neighbours | None = None,
) -> list[Picture | Failure]:
    """Load the pictures of views; a photograph that several views in a row share is decoded once.

    Raises:
        StorageError: a photograph cannot be read for a fault of this machine or its disk, or is
            gone together with its `neighbours`.
        MemoryError: this machine has not enough for a photograph of a size that is allowed.
    """
    loaded: list[Picture | Failure] = []
    previous: CleanImage | None = None
    photograph: Pillow.Image | Failure
    digest, rewritten = "", False
    for view in views:
        if view.clean != previous:
            photograph, digest = _open(view.clean, base, config, neighbours)
            rewritten = not isinstance(photograph, Failure) and _is_rewritten(view.clean, base)
            previous = view.clean
        if isinstance(photograph, Failure):
            loaded.append(photograph)
        else:
            pixels = moved(cut(photograph, view.crop, config), view.move)
            loaded.append(Picture(pixels=pixels, blake3=digest, rewritten=rewritten))
    return loaded


def _is_rewritten(clean: CleanImage, base: Path) -> bool:
    """Whether a photograph is not as it was listed; asked when it has been read."""
    then = clean.written_ns
    return then is not None and then != written_ns(base, clean.uri, clean.offset)


def _open(
    clean: CleanImage, base: Path, config: BuildConfig, neighbours: Neighbours | None
) -> tuple[Pillow.Image | Failure, str]:
    if clean.problem is not None:
        return Failure(code="bad_source", detail=f"{clean.uri}: {clean.problem}"), ""
    if clean.duplicate_of is not None:
        first = clean.duplicate_of
        detail = f"{first} is listed again" if first == clean.uri else f"same bytes as {first}"
        return Failure(code="duplicate", detail=detail), ""
    try:
        data = read_bytes(base, clean)
    except StorageError:
        raise
    except (OSError, ValueError) as error:
        # Where the disk is away and not one photograph, a build is to stop, not to fail requests.
        if neighbours is not None and clean.size is not None and isinstance(error, OSError):
            neighbours.check(file_of(clean.uri, clean.offset), error)
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
    own conversion would clip them), an embedded colour profile is followed. Metadata that cannot
    be read is no reason not to use the pixels.

    Raises:
        UnusableError: not decodable, too large (checked before decoding) or too small.
    """
    try:
        return _decode(data, config)
    except UnusableError as error:
        bare, profile = without_broken_metadata(data)
        if error.code != "undecodable" or bare == data:
            raise
    return _decode(bare, config, profile)


def _decode(data: bytes, config: BuildConfig, profile: bytes | None = None) -> Pillow.Image:
    smallest = config.least_side
    try:
        photograph = open_image(data, max_pixels=config.max_pixels)
        if min(photograph.size) < smallest:
            raise UnusableError(
                "too_small",
                f"{photograph.width}x{photograph.height} has a side under {smallest} "
                "(see min_side)",
            )
        photograph.load()
        turn = _turn(photograph)
        photograph = to_rgb(photograph, profile or photograph.info.get("icc_profile"))
        return photograph if turn is None else photograph.transpose(turn)
    except UnusableError:
        raise
    except UnidentifiedImageError as error:
        # Its own text holds a memory address, and manifests are reproducible.
        detail = unreadable_data(data) or "not an image of a known format"
        raise UnusableError("undecodable", detail) from error
    except TooLargeError as error:
        raise UnusableError("too_large", str(error)) from error
    except Pillow.DecompressionBombError as error:
        # Of a picture inside of the file. Pillow's bound is above ours, and its text names it.
        detail = f"it holds a picture over max_pixels = {config.max_pixels}"
        raise UnusableError("too_large", detail) from error
    except Exception as error:  # decoders raise anything from SyntaxError to struct.error
        if _is_short_of_memory(error, config):
            raise MemoryError(f"not enough for a photograph of {len(data)} bytes") from error
        raise UnusableError("undecodable", f"{type(error).__name__}: {error}") from error


def _is_short_of_memory(error: Exception, config: BuildConfig) -> bool:
    """Whether memory is short; if not, a damaged file asked for more than any picture takes."""
    if not isinstance(error, MemoryError) and "memory" not in str(error):
        return False
    try:
        bytearray(BYTES_PER_PIXEL * config.max_pixels)
    except MemoryError:
        return True
    return False


_TURNS = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
"""Orientation as Exif has it → what makes it upright."""


def _turn(photograph: Pillow.Image) -> Pillow.Transpose | None:
    try:
        return _TURNS.get(photograph.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged metadata raises anything, and then says nothing
        return None


def cut(photograph: Pillow.Image, crop: Crop | None, config: BuildConfig) -> Image:
    """Cut and resize (Lanczos) a photograph to a picture, uint8 (H, W, 3).

    It is square, of the resolution, unless `fit` is native: then it is the whole photograph, as
    large as it is, or reduced until its longer side is `max_side`.
    """
    width, height = photograph.size
    if config.fit == "native":
        scale = min(1.0, config.max_side / max(width, height))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        return np.array(photograph.resize(size, Pillow.Resampling.LANCZOS))
    side = config.resolution
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


def moved(picture: Image, move: Move | None) -> Image:
    """Mirror and turn a picture."""
    if move is None:
        return picture
    flipped = picture[:, ::-1] if move.flip else picture
    return np.ascontiguousarray(np.rot90(flipped, move.turns))
