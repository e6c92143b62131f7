"""What every workload of `reading.py` makes of encoded pairs that a peer has read.

Peers decode whole with Pillow, which is faster on these files than OpenCV and torchvision; then
they cut, mirror and make floats of them, as the trainers of restorers do. In `crops-same-decoder`
they are given the decoder of gends instead, and decode the window alone.
"""

# ruff: noqa: PLC0415  a measured process imports its own reader and no other

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow
from torch.utils.data import default_collate

BATCH = 8
CROP = 128
FORMATS = ("PNG", "WEBP")
CROPS, SAME, WHOLE, BYTES = "crops", "crops-same-decoder", "whole", "bytes"
CROPPED = (CROPS, SAME)
WORKLOADS = {
    CROPS: "float batches of aligned 128-pixel crops, mirrored at random",
    SAME: "the same crops, all readers with the decoder of gends, which decodes the window alone",
    WHOLE: "float batches of whole pictures",
    BYTES: "encoded bytes, not decoded",
}
Batch = dict[str, Any]


class Shaped:
    """Makes of an encoded pair what a workload wants of it; picklable."""

    def __init__(self, workload: str) -> None:
        self.workload = workload

    def __call__(self, key: str, lq: Any, gt: Any) -> Batch:
        pictures = [_bytes(lq), _bytes(gt)]
        if self.workload == SAME:
            pictures = _mirrored(_windows(pictures))
        elif self.workload != BYTES:
            pictures = [
                np.asarray(Pillow.open(io.BytesIO(picture), formats=FORMATS))
                for picture in pictures
            ]
        if self.workload == CROPS:
            pictures = _mirrored(_cut(pictures))
        if self.workload != BYTES:
            pictures = [_floats(picture) for picture in pictures]
        return {"key": key, "lq": pictures[0], "gt": pictures[1]}


def _windows(encoded: list[Any]) -> list[Any]:
    """The crop alone, decoded by gends."""
    from gends.pipeline.format.decode import decode
    from gends.pipeline.format.png import Window, size_of

    size = size_of(encoded[0])
    assert size is not None, "not a PNG that fpng wrote"
    top, left = (random.randint(0, side - CROP) for side in size)
    return [decode(data, Window(top, left, CROP, CROP)) for data in encoded]


def _cut(pictures: list[Any]) -> list[Any]:
    height, width, _ = pictures[0].shape
    top, left = random.randint(0, height - CROP), random.randint(0, width - CROP)
    return [picture[top : top + CROP, left : left + CROP] for picture in pictures]


def _mirrored(pictures: list[Any]) -> list[Any]:
    return [p[:, ::-1] for p in pictures] if random.random() < 0.5 else pictures


def _floats(picture: Any) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))).float().div_(255)


class Collated:
    """Makes a batch of what a peer returns of its pairs, in the process that read them."""

    def __init__(self, workload: str, names: Sequence[str] = ("key", "lq", "gt")) -> None:
        self.shaped, self.names = Shaped(workload), names

    def __call__(self, samples: list[Any]) -> Batch:
        return dict(default_collate([self.shaped(*map(s.get, self.names)) for s in samples]))


def _bytes(picture: Any) -> bytes:
    if isinstance(picture, dict):  # Hugging Face, not decoded
        return bytes(picture["bytes"])
    return picture.read() if isinstance(picture, io.BytesIO) else bytes(picture)
