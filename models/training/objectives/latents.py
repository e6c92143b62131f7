"""Pairs encoded once, so that the generator trains on latents read straight from the disk.

A cache is a folder of flat arrays and `cache.json`. Besides the latents it keeps, for every latent
cell, the integer sums of |lq - gt| and |lq - gt|² over the cell's pixels and channels: the severity
of any crop of whole cells follows from them exactly.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gends.models.files.erase import erase
from gends.models.identity import differences
from gends.models.training.objectives.latent_writer import (
    FORMAT,
    NAMES,
    TYPES,
    Encode,
    LatentWriter,
    Pair,
)
from gends.models.training.randomness import numpy_generator


@dataclass(frozen=True, slots=True)
class LatentCache:
    """A built cache, memory-mapped."""

    clean: npt.NDArray[np.float16]
    lq: npt.NDArray[np.float16]
    sums: npt.NDArray[np.uint32]
    clean_index: npt.NDArray[np.int64]
    degradation: npt.NDArray[np.int64]
    cell_values: int
    """Values that one cell sums up: its pixels times 3 channels."""
    source: Mapping[str, Any]
    """The fingerprint given to `build`."""
    members: tuple[npt.NDArray[np.int64], ...]
    """For each degradation that occurs, its rows."""

    @classmethod
    def build(
        cls,
        path: Path,
        pairs: Iterable[Pair],
        encode: Encode,
        source: Mapping[str, Any],
        *,
        batch_size: int = 32,
    ) -> LatentCache:
        """Encode all of `pairs` (streamed, all of one size) into the new folder `path`.

        `encode` is called under `torch.inference_mode` with at most `batch_size` images; what it
        returns is stored as float16 without scaling. `source` (JSON values) names the pairs and
        the encoder. The folder appears when it is complete.

        Raises:
            ValueError: `path` exists; there are no pairs; a pair's sizes or degradation are
                wrong, with its position.
        """
        if path.exists():
            raise ValueError(f"latent cache {path} exists: open it, or delete it to build anew")
        partial = path.with_name(f".partial-{path.name}")
        erase(partial)
        partial.mkdir(parents=True)
        with LatentWriter(partial, encode) as writer:
            stream = iter(pairs)
            while batch := list(islice(stream, batch_size)):
                writer.add(batch)
        if writer.rows == 0:
            raise ValueError(f"no pairs to build the latent cache {path} from")
        (partial / "cache.json").write_text(
            json.dumps(writer.record(source), indent=1), encoding="utf-8"
        )
        partial.rename(path)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path, source: Mapping[str, Any] | None = None) -> LatentCache:
        """Map a built cache.

        Raises:
            ValueError: another format, other degradations, or, where `source` is given, a cache
                of other pairs or another encoder.
        """
        record = json.loads((path / "cache.json").read_text(encoding="utf-8"))
        found = (record["format"], tuple(record["names"]))
        if found != (FORMAT, NAMES):
            raise ValueError(
                f"latent cache {path} is {found}, this version reads {(FORMAT, NAMES)}: rebuild it"
            )
        if source is not None and (changed := differences(record["source"], source)):
            raise ValueError(
                f"latent cache {path} was built from something else: {changed}; "
                "give another path, or delete it"
            )
        shapes = record["shapes"]
        arrays = {  # plain views: slicing np.memmap itself costs more than the read
            name: np.asarray(np.memmap(path / f"{name}.bin", kind, "r", shape=tuple(shapes[name])))
            for name, kind in TYPES.items()
        }
        rows = (np.flatnonzero(arrays["degradation"] == index) for index in range(len(NAMES)))
        return cls(
            **arrays,
            cell_values=record["cell_values"],
            source=record["source"],
            members=tuple(found for found in rows if found.size),
        )

    def __len__(self) -> int:
        """Number of rows (pairs)."""
        return len(self.lq)

    def severity(self, row: int, top: int, left: int, crop: int) -> tuple[float, float]:
        """(mu, sigma) of the crop of `crop`² cells at (top, left), both RGB in [0, 1]."""
        cells = self.sums[row, :, top : top + crop, left : left + crop]
        total, squares = cells.sum(axis=(1, 2), dtype=np.int64)
        count = int(cells[0].size) * self.cell_values
        # Integers up to the end: a difference of rounded means would lose a small sigma.
        spread = count * int(squares) - int(total) ** 2
        return int(total) / (255 * count), spread**0.5 / (255 * count)

    def batch(self, step: int, seed: int, batch_size: int, crop: int) -> dict[str, Tensor]:
        """The batch of one step: a function of the arguments alone.

        Each row's degradation is drawn uniformly among those that occur, then the row, then a
        place for the crop of `crop` × `crop` latent cells.

        Returns:
            clean, lq: float32 (N, C, crop, crop); mu, sigma: float32 (N,), of the crop;
            degradation: int64 (N,), index into `NAMES`.
        """
        height, width = self.lq.shape[2:]
        if not 0 < crop <= min(height, width):
            raise ValueError(
                f"crop is {crop} latent cells; this cache has {height}×{width}: give 1 to "
                f"{min(height, width)}"
            )
        random = numpy_generator(seed, step, "latents")
        groups = random.integers(len(self.members), size=batch_size)
        rows = [int(random.choice(self.members[group])) for group in groups]
        tops = random.integers(height - crop + 1, size=batch_size)
        lefts = random.integers(width - crop + 1, size=batch_size)
        places = list(zip(rows, tops, lefts, strict=True))
        severities = np.array([self.severity(*place, crop) for place in places], np.float32)
        return {
            "clean": _crops(self.clean, [(self.clean_index[r], t, x) for r, t, x in places], crop),
            "lq": _crops(self.lq, places, crop),
            "mu": torch.from_numpy(severities[:, 0].copy()),
            "sigma": torch.from_numpy(severities[:, 1].copy()),
            "degradation": torch.from_numpy(self.degradation[rows]),
        }


def _crops(
    latents: npt.NDArray[np.float16], places: list[tuple[int, int, int]], crop: int
) -> Tensor:
    cut = [latents[row, :, top : top + crop, left : left + crop] for row, top, left in places]
    return torch.from_numpy(np.stack(cut)).float()
