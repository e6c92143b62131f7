"""The configuration of a build. Every field decides bytes; how fast it runs is not in here."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gends.models.degradations import DEGRADATIONS


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names every field at fault."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    @model_validator(mode="before")
    @classmethod
    def _unknown_keys(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        unknown = [key for key in values if key not in cls.model_fields]
        if unknown:
            raise ValueError("; ".join(_unknown(str(key), cls.model_fields) for key in unknown))
        return values


class FilterConfig(_Section):
    """What a generated pair must satisfy to be accepted."""

    mu_min: float = Field(
        0.004, ge=0, le=1, description="Reject a pair whose measured mu is below."
    )
    mu_max: float = Field(
        0.285,
        ge=0,
        le=1,
        description="Reject a pair whose measured mu is above; real data end here.",
    )
    mu_ratio: float = Field(
        2.5,
        ge=1,
        description="Reject when measured mu exceeds this many times the requested mu + mu_slack.",
    )
    mu_slack: float = Field(0.03, ge=0, le=1, description="Absolute slack added to both mu bounds.")
    structure_min: float = Field(
        0.4,
        ge=-1,
        le=1,
        description="Reject a pair whose structure score is below; -1 turns it off.",
    )
    metrics: dict[str, tuple[float | None, float | None]] = Field(
        default_factory=dict,
        description="pyiqa metric name -> [lowest, highest] accepted score (null: unbounded).",
    )


class EngineConfig(_Section):
    """How the engine works; fields left empty take the model's own defaults."""

    sampler: Literal["dpm++", "euler_ancestral"] | None = Field(
        None, description="Sampler of the diffusion model."
    )
    steps: int | None = Field(None, ge=1, le=1000, description="Denoising steps.")
    text_guidance: float | None = Field(None, ge=1, description="Weight of text and severity.")
    image_guidance: float | None = Field(None, ge=1, description="Weight of the clean image.")
    micro_batch: int = Field(8, ge=1, description="Pairs denoised together; fixed by the plan.")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="auto: bf16 on a GPU, fp32 on a CPU."
    )
    compile: bool = Field(False, description="torch.compile the network.")
    threads: int = Field(1, ge=1, description="CPU threads per worker; more can change last bits.")
    candidates: int = Field(
        3, ge=1, description="Parameter sets the parametric engine tries to come near sigma."
    )


class BuildConfig(_Section):
    """Everything that decides the bytes of a dataset."""

    clean: str = Field(
        "", description="Folder, list file, Parquet table or tar shards of photographs."
    )
    clean_dataset: str | None = Field(None, description="Dataset name of images that carry none.")
    clean_degradation: str | None = Field(
        None, description="What the clean images' own dataset is about; not painted again."
    )
    engine: Literal["gendeg", "parametric", "dry"] = Field(
        "gendeg", description="Diffusion model, physical formulas, or the weight-free dry run."
    )
    model: str = Field("gendeg-mini", description="Bundled name, folder, or hub id@revision.")
    degradations: tuple[str, ...] = Field(
        tuple(DEGRADATIONS), min_length=1, description="Which degradations to paint."
    )
    per_image: int | None = Field(
        None, ge=1, description="Degradations drawn per image; empty: all but the image's own."
    )
    replicas: int = Field(1, ge=1, description="Pairs per image and degradation.")
    seed: int = Field(0, ge=0, lt=2**63, description="Every random choice follows from it.")
    resolution: int = Field(256, ge=16, le=4096, description="Side of the stored pairs, in pixels.")
    fit: Literal["center", "random", "squash"] = Field(
        "center",
        description="Square by centre crop, by a random crop per replica, or by squashing.",
    )
    min_side: int | None = Field(
        None, ge=1, description="Shortest side accepted; empty: the resolution (no upscaling)."
    )
    max_pixels: int = Field(
        150_000_000,
        ge=1,
        le=178_000_000,
        description="Largest photograph decoded, in pixels (a bomb's bound).",
    )
    dedupe: bool = Field(True, description="Fail images whose bytes repeat an earlier image.")
    limit: int | None = Field(None, ge=1, description="Use only the first N images of the catalog.")
    shard_size: int = Field(1000, ge=1, description="Most requested pairs per shard.")
    unit_images: int = Field(4, ge=1, description="Images per unit of work, retry and durability.")
    profile: str = Field("reference", description="Severity profile: 'reference' or a file.")
    uniform_share: float = Field(
        0.05, ge=0, le=1, description="Share of requests drawn uniformly over a dataset's range."
    )
    redraws: int = Field(2, ge=0, le=100, description="New seeds tried after a rejection.")
    image_format: Literal["png", "webp", "jpg"] = Field(
        "png", description="png and webp are lossless; jpg uses jpg_quality."
    )
    jpg_quality: int = Field(95, ge=1, le=100, description="Quality when image_format is jpg.")
    filter: FilterConfig = FilterConfig()
    generator: EngineConfig = EngineConfig()

    @field_validator("degradations")
    @classmethod
    def _known_degradations(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            _check_degradation(name)
        if len(set(names)) != len(names):
            raise ValueError(f"degradations repeat: {', '.join(names)}")
        return names

    @field_validator("clean_degradation")
    @classmethod
    def _known_degradation(cls, name: str | None) -> str | None:
        if name is not None:
            _check_degradation(name)
        return name


def _check_degradation(name: str) -> None:
    if name not in DEGRADATIONS:
        raise ValueError(_unknown(name, DEGRADATIONS, "degradation"))


def _unknown(name: str, known: Iterable[str], what: str = "key") -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    return f"unknown {what} {name!r}; {hint}"


def load_config(path: Path | None, overrides: dict[str, Any]) -> BuildConfig:
    """Read a YAML file (or none) and lay `overrides`, nested like the file, over it.

    Raises:
        ConfigError: unreadable YAML, an unknown key (with the nearest right one) or a bad value.
    """
    values: Any = {}
    if path is not None:
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f"{path}: {error}") from error
        values = {} if values is None else values
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: expected 'key: value' lines, got {type(values).__name__}")
    for key, value in overrides.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            value = values[key] | value  # noqa: PLW2901
        values[key] = value
    try:
        return BuildConfig.model_validate(values)
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, e['loc'])) or 'configuration'}: {_reason(e)}"
            for e in error.errors()
        ]
        where = f"{path}: " if path else ""
        raise ConfigError(where + "; ".join(lines)) from error


def _reason(error: Any) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    return message if error["type"] == "value_error" else f"{message} (got {error['input']!r})"
