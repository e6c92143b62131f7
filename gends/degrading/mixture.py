"""Mixtures that are not part of a build's configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from pydantic import ValidationError

from gends.histograms.profile import load_profile
from gends.pipeline.names import unknown
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.planning.mixture import MixtureConfig, RegionsConfig, engine_of
from gends.pipeline.planning.recipe import RecipeDrawer

MixtureLike: TypeAlias = MixtureConfig | Mapping[str, Any] | Sequence[Any] | str
"""A mixture, its keys as in a configuration, its steps alone, or the name of one operation."""

PLAIN = "parametric"
"""The engine of all steps here: another needs a model."""
BUILDS = {"weight": 1.0, "pairs": None, "datasets": ()}
"""Keys that say how often a build draws a mixture: nothing to a single picture."""


def mixture_of(given: MixtureLike) -> MixtureConfig:
    """Read a mixture.

    Raises:
        ValueError: it cannot be used; the message says where and what is wrong.
    """
    if isinstance(given, MixtureConfig):
        mixture = given.model_copy(update=BUILDS)
    else:
        keys: Mapping[str, Any] = (
            given
            if isinstance(given, Mapping) and not {"op", "shuffled"} & given.keys()
            else {"steps": given}
        )
        name = given if isinstance(given, str) else "mixture"
        try:
            mixture = MixtureConfig.model_validate({"name": name, **_plain(keys), **BUILDS})
        except ValidationError as error:
            raise ValueError(_first(error)) from error
    painted = {one.op for one in mixture.parsed.templates if engine_of(one, "parametric") != PLAIN}
    if painted:
        raise ValueError(
            f"{', '.join(sorted(painted))}: painted by an engine, which takes a build; leave "
            "engine out for the formula"
        )
    return mixture


@lru_cache(maxsize=64)
def drawer_of(mixture: str) -> RecipeDrawer:
    """Draws recipes of a mixture, given as JSON; severities follow the bundled profile."""
    filter_off = {"mu_min": 0.0, "mu_max": 1.0}
    config = BuildConfig(
        engine="parametric",
        mixtures=(MixtureConfig.model_validate_json(mixture),),
        filter=filter_off,
    )
    return RecipeDrawer(config, load_profile("reference"))


def _plain(keys: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        for key, value in keys.items()
    }


def _first(error: ValidationError) -> str:
    # A key that is misspelt is also missing: what it should be called comes first.
    found = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    if found["type"] == "extra_forbidden":
        keys = [str(key) for key in found["loc"]]
        model = RegionsConfig if "regions" in keys else MixtureConfig
        return f"{'.'.join(keys)}: {unknown(keys[-1], model.model_fields)}"
    cause = found.get("ctx", {}).get("error")
    place = (*found["loc"], *getattr(cause, "path", ()))
    name = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in place).lstrip(".")
    return f"{name}: {getattr(cause, 'message', found['msg'].removeprefix('Value error, '))}"
