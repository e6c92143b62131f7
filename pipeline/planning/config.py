"""The configuration of a build. Every field decides bytes; how fast it runs is not in here."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from typing import Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from gends.models.degradations import DEGRADATIONS, Structure, check_structures
from gends.models.grounds.ground import Kind
from gends.models.parametric.catalog import OPERATIONS
from gends.pipeline.names import unknown
from gends.pipeline.planning.mixture import MixtureConfig, engine_of, is_local, single
from gends.pipeline.planning.section import Section
from gends.pipeline.planning.steps import StepError
from gends.pipeline.storage.paths import check_path

MOST_PIXELS = 178_000_000
"""What `max_pixels` may be at most: just below the size from which Pillow opens no picture."""
LEAST_SIDE = 64
"""Shorter side of a whole picture, where nothing else is said: below, formulas have no room."""


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names every field at fault."""


_BOUNDS = "{psnr: [20, null]}"


class FilterConfig(Section):
    """What a generated pair must satisfy to be accepted."""

    mu_min: float = Field(
        default=0.004,
        ge=0,
        le=1,
        description="Reject a pair whose mu is below: the mean of |degraded - clean|, 0 to 1.",
    )
    mu_max: float = Field(
        default=0.285,
        ge=0,
        le=1,
        description="Reject a pair whose mu is above; real datasets reach this far.",
    )
    mu_ratio: float = Field(
        default=2.5,
        ge=1,
        description="Reject a pair whose mu is above the requested mu times this, plus mu_slack; "
        "or below the requested mu divided by this, minus mu_slack.",
    )
    mu_slack: float = Field(default=0.03, ge=0, le=1, description="See mu_ratio.")
    structure_min: float = Field(
        default=0.4,
        ge=-1,
        le=1,
        description="Reject a pair in which less of the photograph's structure is left; the score "
        "goes from -1 to 1, and -1 rejects none.",
    )
    stray_colour_max: float = Field(
        default=0.05,
        ge=0,
        description="Reject a pair with more colour that neither the photograph nor the "
        "degradation explains, as a share of mu; 99 rejects none.",
    )
    metrics: dict[str, tuple[float | None, float | None]] = Field(
        default_factory=dict,
        description="Reject a pair whose score of a metric of pyiqa is outside of its bounds, "
        "either of which may be left out (null in CONFIG: {niqe: [null, 6.5]}).",
    )

    @field_validator("metrics", mode="before")
    @classmethod
    def _lowest_and_highest(cls, metrics: Any) -> Any:
        if not isinstance(metrics, dict):
            raise ValueError(f"give bounds by name, as {_BOUNDS} (got {reprlib.repr(metrics)})")
        for name, bounds in metrics.items():
            given = bounds if isinstance(bounds, list | tuple) else ()
            if len(given) != 2 or any(isinstance(bound, bool) for bound in given):
                got = f"{reprlib.repr(name)}: {reprlib.repr(bounds)}"
                raise ValueError(f"give lowest and highest, as {_BOUNDS} (got {got})")
        return metrics

    @model_validator(mode="after")
    def _bounds_in_order(self) -> FilterConfig:
        bounds = {"mu": (self.mu_min, self.mu_max), **self.metrics}
        for name, (low, high) in bounds.items():
            if low is not None and high is not None and low > high:
                raise ValueError(f"{name}: the lower bound {low} is above the upper bound {high}")
        return self


class EngineConfig(Section):
    """How the engine works; fields left empty take the model's own defaults."""

    sampler: Literal["dpm-solver++", "dpm-solver++-log-snr", "euler-ancestral"] | None = Field(
        default=None, description="Sampler of the diffusion model."
    )
    steps: int | None = Field(default=None, ge=1, le=1000, description="Denoising steps.")
    text_guidance: float | None = Field(
        default=None, ge=1, description="Weight of the text and the severity; empty: the model's."
    )
    image_guidance: float | None = Field(
        default=None, ge=1, description="Weight of the clean image."
    )
    structure: Structure | dict[str, Structure] | None = Field(
        default=None,
        description="Whose structure the diffusion model's pictures keep, of all degradations or "
        "of some (haze=photograph,snow=model): model, as published; or photograph, which painted "
        "tones, noise, veils, particles, drops and blur are laid over, and which then is the clean "
        "picture of the pair. Empty: for each degradation as the model's folder says.",
    )
    micro_batch: int = Field(
        default=8, ge=1, description="Pairs denoised together; fixed by the plan."
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto", description="auto: bf16 on a GPU, fp32 on a CPU."
    )
    compile: bool = Field(default=False, description="torch.compile the network.")
    threads: int = Field(
        default=1, ge=1, description="CPU threads per worker; more can change last bits."
    )
    candidates: int = Field(
        default=3,
        ge=1,
        description="Parameter sets that the parametric engine tries, to come near the requested "
        "sigma.",
    )
    variants: tuple[int, ...] = Field(
        default=(),
        description="Let the parametric engine use only its parameter sets of these numbers, as "
        "0,1,2; empty: a new set for every pair.",
    )

    depth: str = Field(
        default="procedural",
        description="How far things are, for the operations that ask: procedural, each formula's "
        "own guess; or a Depth Anything model, a folder or ID@REVISION of the hub.",
    )

    @field_validator("depth")
    @classmethod
    def _plain_path(cls, path: str) -> str:
        check_path(path)
        return path

    @field_validator("structure", mode="before")
    @classmethod
    def _known_structures(cls, given: Any) -> Any:
        if isinstance(given, dict):
            check_structures(given)
        elif given not in (None, *get_args(Structure)):
            raise ValueError(
                "give model or photograph, or a list by degradation, as {haze: photograph} "
                f"(got {reprlib.repr(given)})"
            )
        return given

    def structures(self) -> dict[str, Structure]:
        """Whose structure is to be kept, by degradation, as far as `structure` says it."""
        if isinstance(self.structure, dict):
            return self.structure
        return {} if self.structure is None else dict.fromkeys(DEGRADATIONS, self.structure)

    @field_validator("variants")
    @classmethod
    def _numbered_from_0(cls, numbers: tuple[int, ...]) -> tuple[int, ...]:
        if any(number < 0 for number in numbers) or len(set(numbers)) != len(numbers):
            raise ValueError("variants are different numbers from 0 on")
        return numbers


class BuildConfig(Section):
    """Everything that decides the bytes of a dataset."""

    clean: str = Field(
        default="",
        description="Folder, list (one path a line), table or tar of photographs.",
    )
    member: tuple[str, ...] = Field(
        default=(),
        description="Which images of a tar sample are photographs, by what follows the first dot "
        "of their names, as target.jpg or '*.jpg'; the first of several that a sample has counts. "
        "Empty: a single image, or the only one without a second dot.",
    )
    outside: bool = Field(
        default=False,
        description="Also use photographs whose path or link leads outside the folder of --clean.",
    )
    clean_dataset: str | None = Field(
        default=None, description="Dataset that photographs are of for which none is named."
    )
    clean_degradation: str | None = Field(
        default=None, description="Degradation that the photographs already show; it is skipped."
    )
    engine: Literal["gendeg", "parametric", "dry"] = Field(
        default="gendeg",
        description="gendeg: a diffusion model. parametric: physical formulas. dry: fast and "
        "without a model, to try out how a build runs; its pairs are of no other use.",
    )
    model: str = Field(
        default="gendeg-mini", description="A bundled model, a folder, or ID@REVISION of the hub."
    )
    degradations: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Degradations to make, one in each pair; empty: those of the diffusion model, "
        "or the mixtures of CONFIG.",
    )
    mixtures: tuple[MixtureConfig, ...] = Field(
        default=(),
        description="What is drawn for pairs of several steps, instead of degradations.",
    )
    members: tuple[Literal["mask", "bits", "ground"], ...] = Field(
        default=(),
        description="Pictures beside each pair: mask (which degradation is where), bits (all that "
        "are there, where several overlap), ground (a chart, clean and degraded by the same "
        "steps).",
    )
    ground: Kind = Field(
        default="varied",
        description="Charts of member ground: varied (textures, colours, photographs), simple (a "
        "few shapes) or blank.",
    )
    per_image: int | None = Field(
        default=None,
        ge=1,
        description="How many degradations or mixtures each photograph gets, drawn at random; "
        "empty: all but those that it already shows.",
    )
    replicas: int = Field(
        default=1, ge=1, description="Pairs per photograph and degradation or mixture."
    )
    seed: int = Field(default=0, ge=0, lt=2**63, description="Every random choice follows from it.")
    resolution: int = Field(
        default=256, ge=16, le=4096, description="Side of the stored pairs, in pixels."
    )
    fit: Literal["center", "random", "squash", "native"] = Field(
        default="center",
        description="How a photograph becomes square: its centre, a random part for each replica, "
        "or all of it, squashed. native: it stays as it is, up to max_side.",
    )
    max_side: int = Field(
        default=2048,
        ge=16,
        le=16384,
        description="With --fit native, the longer side of stored pairs, in pixels, at most; "
        "larger photographs are reduced.",
    )
    min_side: int | None = Field(
        default=None,
        ge=1,
        description="Fail photographs with a shorter side; empty: the resolution, so that none is "
        f"enlarged, or {LEAST_SIDE} with --fit native.",
    )
    max_pixels: int = Field(
        default=150_000_000,
        ge=1,
        le=MOST_PIXELS,
        description="Largest photograph decoded, in pixels; decoding may take 16 bytes of memory "
        "for each of them, and formats that need more are held to fewer pixels.",
    )
    dedupe: bool = Field(
        default=True, description="Fail photographs whose file equals an earlier one."
    )
    limit: int | None = Field(default=None, ge=1, description="Use only the first N photographs.")
    shard_size: int = Field(
        default=1000,
        ge=1,
        description="Pairs per shard at most; all pairs of a photograph are in one shard.",
    )
    unit_images: int = Field(
        default=4, ge=1, description="Photographs that are worked on, stored and retried as one."
    )
    profile: str = Field(
        default="reference", description="Severities to draw: 'reference', or a profile's file."
    )
    uniform_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Share of pairs whose severity is drawn evenly over all that the profile has, "
        "however rare.",
    )
    redraws: int = Field(
        default=2, ge=0, le=100, description="Tries with other seeds after a rejection."
    )
    image_format: Literal["png", "webp", "jpg"] = Field(
        default="png", description="png and webp are lossless; jpg uses jpg_quality."
    )
    jpg_quality: int = Field(
        default=95, ge=1, le=100, description="Quality when image_format is jpg."
    )
    filter: FilterConfig = FilterConfig()
    generator: EngineConfig = EngineConfig()

    @field_validator("degradations", "member", "members", mode="before")
    @classmethod
    def _one_or_several(cls, names: Any) -> Any:
        return [name.strip() for name in names.split(",")] if isinstance(names, str) else names

    @field_validator("clean", "model", "profile")
    @classmethod
    def _plain_path(cls, path: str) -> str:
        check_path(path)
        return path

    @field_validator("filter", "generator", mode="before")
    @classmethod
    def _empty_section(cls, section: Any) -> Any:
        return {} if section is None else section

    @field_validator("degradations")
    @classmethod
    def _known_degradations(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in names or ():
            check_degradation(name)
        if len(set(names or ())) != len(names or ()):
            raise ValueError(f"degradations repeat: {', '.join(names or ())}")
        return names

    @field_validator("mixtures")
    @classmethod
    def _named_once(cls, mixtures: tuple[MixtureConfig, ...]) -> tuple[MixtureConfig, ...]:
        names = [mixture.name for mixture in mixtures]
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if twice:
            second = len(names) - 1 - names[::-1].index(twice[0])
            raise StepError(
                (second, "name"),
                f"two mixtures are called {twice[0]!r}; names are labels of pairs",
            )
        return mixtures

    @field_validator("clean_degradation")
    @classmethod
    def _known_degradation(cls, name: str | None) -> str | None:
        if name is not None:
            check_degradation(name)
        return name

    @model_validator(mode="before")
    @classmethod
    def _nothing_asked(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("mixtures"):
            return given
        if given.get("degradations") is not None:
            return given
        if "mixtures" in given:
            raise ValueError("mixtures is empty; list at least one, or leave the key out")
        return given | {"degradations": tuple(DEGRADATIONS)}

    @property
    def wanted(self) -> tuple[MixtureConfig, ...]:
        """The mixtures; those that `degradations` is short for, where none are given."""
        return self.mixtures or tuple(map(single, self.degradations or ()))

    @property
    def labels(self) -> tuple[str, ...]:
        """What pairs are called: the names of the mixtures."""
        return tuple(mixture.name for mixture in self.wanted)

    @property
    def engines(self) -> tuple[str, ...]:
        """All engines that take part, in alphabetical order."""
        templates = (one for mixture in self.wanted for one in mixture.parsed.templates)
        return tuple(sorted({engine_of(template, self.engine) for template in templates}))

    @property
    def least_side(self) -> int:
        """Shorter side in pixels below which photographs fail."""
        return self.min_side or (LEAST_SIDE if self.fit == "native" else self.resolution)

    @model_validator(mode="after")
    def _fits_together(self) -> BuildConfig:
        for key, problem in self._problems():
            raise StepError((key,), problem)
        return self

    def _problems(self) -> Iterator[tuple[str, str]]:
        """The key that is to change, and what is wrong."""
        if self.mixtures and self.degradations:
            yield (
                "degradations",
                "degradations and mixtures are both given; make each degradation a mixture",
            )
        if self.per_image is not None and self.per_image > len(self.wanted):
            what = "mixtures" if self.mixtures else "degradations"
            yield (
                "per_image",
                f"per_image is {self.per_image}, but {what} are only {len(self.wanted)}",
            )
        if self.fit == "native" and "gendeg" in self.engines:
            yield (
                "fit",
                "fit is native, but the diffusion model paints squares of one size; take another "
                "fit, or --engine parametric",
            )
        weighted = next((one.name for one in self.mixtures if one.weight != 1), None)
        if weighted and self.per_image is None:
            yield (
                "mixtures",
                f"mixture {weighted} has a weight, which per_image draws by; set per_image",
            )
        if {"mask", "bits"} & set(self.members):
            for mixture in self.wanted:
                local = (is_local(one, self.engine) for one in mixture.parsed.templates)
                if mixture.regions is None and not any(local):
                    yield (
                        "members",
                        f"a mask is asked for, but mixture {mixture.name} has no regions and no "
                        "step that is in one place: such are "
                        + ", ".join(name for name, one in OPERATIONS.items() if one.is_local),
                    )


def check_degradation(name: str) -> None:
    """Raise ValueError, with the nearest or all that are known, unless it is one."""
    known = {**DEGRADATIONS, **OPERATIONS}
    if name not in known:
        raise ValueError(unknown(name, known, "degradation"))
