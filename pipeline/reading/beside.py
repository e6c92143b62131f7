"""What is stored beside a pair, decoded: where its degradations are, and grounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gends.pictures.formats import open_image
from gends.pipeline.format.decode import check_size, decode
from gends.pipeline.format.manifest import Row
from gends.pipeline.reading.reader import BESIDE, ShardReader, naming

MAPS = ("mask", "bits")
"""Parts that say something of each pixel of the pair, and so are moved along with it."""
GROUNDS = tuple(part for part in BESIDE if part not in MAPS)
_MODES = {"mask": "L", "bits": "RGBA"}

Array = npt.NDArray[Any]


def read_members(reader: ShardReader, row: Row) -> dict[str, Array]:
    """Read, check and decode the parts beside a pair of which the row has the place.

    `mask` is uint8 (H, W), `bits` uint32 (H, W), grounds are uint8 (224, 224, 3) RGB.

    Raises:
        PairError: bytes are missing, not those that were recorded, or no such picture.
        StorageError: the store does not answer.
    """
    members = {}
    for part, data in reader.read_beside(row).items():
        with naming(row, part):
            members[part] = decode(data) if part in GROUNDS else _map(part, data, row)
    return members


def _map(part: str, data: bytes, row: Row) -> Array:
    labels = decode_map(part, data)
    if labels.shape != (row["height"], row["width"]):
        height, width = labels.shape
        raise ValueError(f"{width}x{height} pixels beside a pair of another size")
    return labels


def decode_map(part: str, data: bytes) -> Array:
    """Pixels of a stored mask, uint8 (H, W), or of bits, uint32 (H, W).

    Raises:
        ValueError: the bytes are no such picture.
    """
    try:
        with open_image(data, formats=("PNG",)) as image:
            check_size((image.height, image.width))
            if image.mode != _MODES[part]:
                raise ValueError(f"a PNG of mode {image.mode}, and {part} is {_MODES[part]}")
            pixels = np.array(image)
    except (MemoryError, ValueError):
        raise
    except Exception as error:  # decoders raise anything from SyntaxError to struct.error
        raise ValueError(f"not an image: {error}") from error
    return pixels if part == "mask" else pixels.view("<u4")[..., 0].astype(np.uint32)
