"""Which degradation is where: the members mask and bits of a pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from gends.models.degrader import Image
from gends.models.parametric.catalog import OPERATIONS
from gends.models.regions import RegionMap
from gends.pipeline.format.labels import BORDER, UNTOUCHED
from gends.pipeline.types import Step

Plane8 = npt.NDArray[np.uint8]
"""uint8, (H, W)."""
TOUCHED = 2
"""Levels of 255 by which a step in one place has to change a pixel, to be there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """One region's steps, with the picture before each and the last one's output."""

    steps: tuple[Step, ...]
    pictures: tuple[Image, ...]


def label_regions(
    regions: Sequence[Labelled], layout: RegionMap | None
) -> tuple[Plane8, npt.NDArray[np.uint8]]:
    """The mask, uint8 (H, W), and the bits, uint8 (H, W, 4), of a pair.

    The mask has the label of the step that changed the picture most, of those that are at a pixel;
    steps in one place (`Operation.is_local`) come before those that are everywhere. It is 0 where
    no step is and 255 on the soft borders of regions. The bits, read as little-endian uint32, have
    bit label - 1 set for every step that is at a pixel: on borders those of all regions that meet.
    """
    planes = [_labels(region) for region in regions]
    if layout is None:
        mask, bits = planes[0]
    else:
        size = regions[0].pictures[0].shape[:2]
        weights, owners = layout.weights(size), layout.owners(size)
        mask = np.choose(owners, [plane for plane, _ in planes])
        mask[layout.border(size)] = BORDER
        bits = np.zeros(size, np.uint32)
        for weight, (_, plane) in zip(weights, planes, strict=True):
            bits |= np.where(weight > 0, plane, 0).astype(np.uint32)
    return mask, bits.astype("<u4").view(np.uint8).reshape(*bits.shape, 4)


def _labels(region: Labelled) -> tuple[Plane8, npt.NDArray[np.uint32]]:
    size = region.pictures[0].shape[:2]
    mask, bits = np.full(size, UNTOUCHED, np.uint8), np.zeros(size, np.uint32)
    found = []
    for step, before, after in zip(
        region.steps, region.pictures, region.pictures[1:], strict=False
    ):
        operation, change = OPERATIONS[step.op], cv2.absdiff(before, after)
        local = operation.is_local and step.engine == "parametric"
        where = change.max(axis=2) > TOUCHED if local else np.ones(size, bool)
        bits[where] |= np.uint32(1 << (operation.label - 1))
        found.append((local, float(change.mean()), operation.label, where))
    for _, _, label, where in sorted(found, key=lambda item: item[:2]):
        mask[where] = label
    return mask, bits
