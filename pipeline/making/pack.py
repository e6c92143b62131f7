"""Encode pairs: the bytes that go into a shard, and the pixels that a reader will get back."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cached_property

import fpng
import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from gends.models.degrader import Image
from gends.pipeline.format.decode import decode
from gends.pipeline.format.manifest import PARTS
from gends.pipeline.making.carry_out import Pair
from gends.pipeline.planning.config import BuildConfig


class Packer:
    """Packs the pairs of one unit. A gt that several of them share is encoded once."""

    def __init__(self, config: BuildConfig) -> None:
        """Nothing is encoded yet."""
        self.config = config
        self._shared: dict[int, tuple[Image, bytes]] = {}
        """By identity; the image is kept, so that no other gets its number."""

    def pack(self, pair: Pair) -> Packed:
        """The pair, which is encoded when its bytes are first asked for."""
        return Packed(pair, self)

    def encode_gt(self, gt: Image) -> bytes:
        """See `encode`."""
        if id(gt) not in self._shared:
            self._shared[id(gt)] = (gt, encode(gt, self.config))
        return self._shared[id(gt)][1]


class Packed:
    """A pair with the pixels that are stored, and their encoded bytes."""

    def __init__(self, made: Pair, packer: Packer) -> None:
        """A pair as the engine made it."""
        self._made = made
        self._packer = packer

    @cached_property
    def pair(self) -> Pair:
        """What a reader will see, and so what is judged: a lossy format changes the pair."""
        if self._packer.config.image_format != "jpg":
            return self._made
        return replace(self._made, gt=decode(self.gt_bytes), lq=decode(self.lq_bytes))

    @cached_property
    def gt_bytes(self) -> bytes:
        """The clean picture, encoded."""
        return self._packer.encode_gt(self._made.gt)

    @cached_property
    def lq_bytes(self) -> bytes:
        """The degraded picture, encoded."""
        return encode(self._made.lq, self._packer.config)

    def encoded(self) -> dict[str, bytes]:
        """All pictures that there are, encoded, by part."""
        found = {"gt": self.gt_bytes, "lq": self.lq_bytes}
        for part in PARTS[2:]:
            picture = getattr(self._made, part)
            if picture is not None:
                found[part] = encode_lossless(picture)
        return found


def encode_lossless(picture: npt.NDArray[np.uint8]) -> bytes:
    """Encode uint8 (H, W), (H, W, 3) or (H, W, 4) as PNG."""
    if picture.ndim == 3:
        return bytes(fpng.from_ndarray(picture))
    buffer = io.BytesIO()
    Pillow.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


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
