"""What every physical degradation is: parameters to draw, and a renderer from strength to image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from gends.models.parametric.parameter import Parameter, Scale
from gends.models.pixels import Photo, Plane

Size = tuple[int, int]
"""Height and width in pixels."""

Parameters = dict[str, Any]
"""Everything random about a degradation but its strength and its noise fields, as JSON values.
Lengths are fractions of the image's shorter side, so that parameters fit an image of any size,
where a published formula does not count in pixels."""

Renderer = Callable[[float], Photo]
"""Strength in [0, 1] to the degraded image: 0 gives the image back bit for bit, and the mean
absolute difference from it does not fall as the strength rises."""

Stage = Literal["scene", "lens", "sensor", "coding"]
"""Where on light's way to the file a degradation happens."""
STAGES: tuple[Stage, ...] = get_args(Stage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One physical degradation as a pure function of (image, parameters, strength, seed)."""

    name: str
    """Used in keys, manifests and options: lower case, no hyphens or dots."""
    label: int
    """Its number in masks, 1 to 254. It never changes."""
    version: int
    """Raised whenever equal arguments give another image than before."""
    stage: Stage
    summary: str
    """What it does, in one line."""
    source: str
    """Paper and equation, or data set whose ranges it takes, or that it is our reading."""
    parameters: Mapping[str, Parameter]
    """All that `draw` draws, by name."""
    draw: Callable[[np.random.Generator], Parameters]
    """Draws the parameters."""
    prepare: Callable[..., Renderer]
    """Makes from (image, parameters, seed) all that does not depend on the strength, once; if
    `needs_depth`, from (image, parameters, seed, depth)."""
    usual: tuple[float, float]
    """Strengths of the mildest and of the most severe setting that published sets use."""
    scale: Scale | None = None
    """The quantity that the strength stands for; None where it stands for no single one."""
    is_local: bool = False
    """Whether it leaves parts of the image as they are, so that a mask says where it is."""
    uses_seed: bool = True
    """Whether it has random fields; without, all that is random are its parameters."""
    needs_depth: bool = field(default=False)
    """Whether it asks how far things are: `prepare` then takes relative depth, float32 (H, W) in
    [0, 1], 1 farthest; or None, and works depth out by itself."""

    def apply(
        self,
        image: Photo,
        parameters: Parameters,
        strength: float,
        seed: int,
        depth: Plane | None = None,
    ) -> Photo:
        """Degrade `image` (float32, (H, W, 3), [0, 1]) with `strength` in [0, 1].

        Raises:
            ValueError: the strength lies outside.
        """
        if not 0.0 <= strength <= 1.0:
            raise ValueError(f"strength of {self.name} is {strength}; it must lie in [0, 1]")
        return self.renderer(image, parameters, seed, depth)(strength)

    def renderer(
        self, image: Photo, parameters: Parameters, seed: int, depth: Plane | None = None
    ) -> Renderer:
        """All that does not depend on the strength, done once; see `prepare`."""
        given = (image, parameters, seed, depth) if self.needs_depth else (image, parameters, seed)
        prepared = self.prepare(*given)
        # Even a change of the last bit of a float would be one.
        return lambda strength: image if strength == 0 else prepared(strength)

    def settable(self) -> list[str]:
        """Names that a step may give a value for beside `strength`, `level` and `mu`."""
        return [*([self.scale.name] if self.scale else []), *self.parameters]
