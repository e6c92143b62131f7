"""The six degradations, and what the method does differently for each: a table."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

TargetKind = Literal["clean", "reconstructed"]
Structure = Literal["model", "photograph"]
"""Whose structure a painted picture keeps: the model's own, or the photograph's, which what was
painted is laid over (`gends.models.anchoring`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """One kind of degradation as GenDeg (arXiv 2411.17687) treats it."""

    name: str
    """Identifier used in keys, manifests and options: lower case, no hyphens or dots."""
    phrase: str
    """What the prompt says after the caption; the wording of the published training data."""
    corrected: bool
    """Whether the structure correction module runs on generated images of this kind."""
    target_kind: TargetKind
    """What a generated image is paired with: the clean photograph, or its reconstruction by the
    autoencoder where correction would erase the degradation's own fine detail."""


DEGRADATIONS: dict[str, Degradation] = {
    d.name: d
    for d in (
        Degradation(name="haze", phrase="in hazy conditions", corrected=True, target_kind="clean"),
        Degradation(
            name="rain", phrase="in rainy conditions", corrected=False, target_kind="reconstructed"
        ),
        Degradation(
            name="snow", phrase="in snowy conditions", corrected=False, target_kind="reconstructed"
        ),
        Degradation(
            name="motion_blur", phrase="in blurry conditions", corrected=True, target_kind="clean"
        ),
        Degradation(
            name="low_light",
            phrase="in low-light conditions",
            corrected=False,
            target_kind="reconstructed",
        ),
        Degradation(
            name="raindrop", phrase="with raindrops in it", corrected=True, target_kind="clean"
        ),
    )
}


def check_structures(structures: Mapping[str, object]) -> None:
    """Raise ValueError unless these are degradations, each with a `Structure`."""
    known = get_args(Structure)
    for name, structure in structures.items():
        if name not in DEGRADATIONS:
            raise ValueError(f"unknown degradation {name!r:.40}; known: {', '.join(DEGRADATIONS)}")
        if structure not in known:
            shown = reprlib.repr(structure)
            raise ValueError(f"{name}: give {' or '.join(known)} (got {shown})")
