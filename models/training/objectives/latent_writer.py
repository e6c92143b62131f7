"""Encodes pairs, batch after batch, into the flat arrays of a latent cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gends.models.degradations import DEGRADATIONS
from gends.models.degrader import Image

FORMAT = 1
NAMES = tuple(DEGRADATIONS)
"""What the degradation index of a row points into."""

Pair = tuple[Image, Image, str]
"""(gt, lq, degradation): uint8 (H, W, 3) each, and a key of DEGRADATIONS."""
Encode = Callable[[Tensor], Tensor]
"""uint8 images (N, 3, H, W) → latents (N, C, h, w), H/h and W/w whole numbers."""

TYPES: dict[str, type[np.generic]] = {
    "clean": np.float16,  # (cleans, C, h, w): equal gts are encoded and stored once
    "lq": np.float16,  # (rows, C, h, w)
    "sums": np.uint32,  # (rows, 2, h, w): Σ|lq - gt|, Σ|lq - gt|² in units of 1/255 and 1/255²
    "clean_index": np.int64,  # (rows,)
    "degradation": np.int64,  # (rows,)
}


def with_flips(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Each pair, then its mirror image: latents of a convolutional encoder cannot be flipped."""
    for gt, lq, degradation in pairs:
        yield gt, lq, degradation
        yield gt[:, ::-1], lq[:, ::-1], degradation


@dataclass(slots=True)
class LatentWriter:
    """Appends rows to the flat arrays of a cache under construction."""

    folder: Path
    encode: Encode
    rows: int = 0
    image_shape: tuple[int, ...] = ()
    latent_shape: tuple[int, ...] = ()
    seen: dict[bytes, int] = field(default_factory=dict)
    """Digest of a gt → its index in `clean`."""
    files: dict[str, BinaryIO] = field(default_factory=dict)

    def __enter__(self) -> LatentWriter:
        """Open the files."""
        self.files = {name: (self.folder / f"{name}.bin").open("wb") for name in TYPES}
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files."""
        for file in self.files.values():
            file.close()

    def add(self, batch: list[Pair]) -> None:
        """Check, encode and append `batch`."""
        for position, pair in enumerate(batch, start=self.rows):
            self._check(pair, position)
        gts = np.stack([gt for gt, _, _ in batch])
        lqs = np.stack([lq for _, lq, _ in batch])
        digests = [blake2b(gt.tobytes(), digest_size=16).digest() for gt in gts]
        fresh = {digest: gts[i] for i, digest in enumerate(digests) if digest not in self.seen}
        for digest in fresh:
            self.seen[digest] = len(self.seen)
        if fresh:
            self._append("clean", self._latents(np.stack(list(fresh.values()))))
        self._append("lq", self._latents(lqs))
        self._append("sums", self._sums(gts, lqs))
        self._append("clean_index", np.array([self.seen[digest] for digest in digests]))
        self._append("degradation", np.array([NAMES.index(name) for _, _, name in batch]))
        self.rows += len(batch)

    def record(self, source: Mapping[str, Any]) -> dict[str, Any]:
        """What `cache.json` holds about everything appended so far."""
        shapes: dict[str, tuple[int, ...]] = {
            "clean": (len(self.seen), *self.latent_shape),
            "lq": (self.rows, *self.latent_shape),
            "sums": (self.rows, 2, *self.latent_shape[1:]),
            "clean_index": (self.rows,),
            "degradation": (self.rows,),
        }
        cells = self.latent_shape[1] * self.latent_shape[2]
        return {
            "format": FORMAT,
            "names": NAMES,
            "source": dict(source),
            "shapes": shapes,
            "cell_values": int(np.prod(self.image_shape)) // cells,
        }

    def _check(self, pair: Pair, position: int) -> None:
        gt, lq, name = pair
        self.image_shape = self.image_shape or gt.shape
        for role, image in (("gt", gt), ("lq", lq)):
            if image.shape != self.image_shape or image.dtype != np.uint8:
                raise ValueError(
                    f"{role} of pair {position} is {image.dtype} {image.shape}; all images of a "
                    f"latent cache are uint8 of one size, here {self.image_shape}: crop them first"
                )
        if name not in DEGRADATIONS:
            raise ValueError(f"degradation of pair {position} is {name!r}; known: {NAMES}")

    def _latents(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float16]:
        with torch.inference_mode():
            latents = self.encode(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
        self.latent_shape = tuple(latents.shape[1:])
        height, width = self.image_shape[:2]
        if height % self.latent_shape[1] or width % self.latent_shape[2]:
            raise ValueError(
                f"images of {height}×{width} give latents of {self.latent_shape}, not whole pixels "
                "per cell: crop the images to a multiple of the encoder's stride"
            )
        stored = latents.to("cpu", torch.float16)
        if not stored.isfinite().all():
            raise ValueError("the encoder gives values that are not finite in float16: rescale it")
        return stored.numpy()

    def _sums(
        self, gts: npt.NDArray[np.uint8], lqs: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.uint32]:
        difference = np.maximum(lqs, gts) - np.minimum(lqs, gts)
        count, height, width, channels = difference.shape
        down, across = self.latent_shape[1:]
        cells = difference.reshape(
            count, down, height // down, across, width // across * channels
        ).astype(np.uint32)
        sums = [
            values.sum(axis=2, dtype=np.uint32).sum(axis=3, dtype=np.uint32)
            for values in (cells, cells * cells)
        ]
        return np.stack(sums, axis=1)

    def _append(self, name: str, values: npt.NDArray[Any]) -> None:
        self.files[name].write(np.ascontiguousarray(values, TYPES[name]).tobytes())
