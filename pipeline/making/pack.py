"""Encode pairs: the bytes that go into a shard, and the pixels that a reader will get back."""

from __future__ import annotations

import dataclasses
import io
from dataclasses import dataclass

import fpng
from PIL import Image as Pillow

from gends.models.degrader import Degraded, Image
from gends.pipeline.format.decode import decode
from gends.pipeline.planning.config import BuildConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A pair with the pixels that are stored, and their encoded bytes."""

    pair: Degraded
    gt_bytes: bytes
    lq_bytes: bytes


def pack(pair: Degraded, config: BuildConfig) -> Packed:
    """Encode a pair. A lossy format changes the pair: what is judged is what a reader will see."""
    gt_bytes, lq_bytes = encode(pair.gt, config), encode(pair.lq, config)
    if config.image_format == "jpg":
        pair = dataclasses.replace(pair, gt=decode(gt_bytes), lq=decode(lq_bytes))
    return Packed(pair=pair, gt_bytes=gt_bytes, lq_bytes=lq_bytes)


def encode(image: Image, config: BuildConfig) -> bytes:
    """Encode uint8 (H, W, 3) RGB as configured; equal pixels give equal bytes.

    PNG goes through fpng: lossless, and a hundred times as fast as zlib's default level.
    """
    if config.image_format == "png":
        return bytes(fpng.from_ndarray(image))
    buffer = io.BytesIO()
    picture = Pillow.fromarray(image)
    if config.image_format == "webp":
        picture.save(buffer, "WEBP", lossless=True, method=0, exact=True)
    else:
        picture.save(buffer, "JPEG", quality=config.jpg_quality, subsampling=0)
    return buffer.getvalue()
