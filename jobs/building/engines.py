"""Make the engines that a configuration names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gends.models.degrader import Degrader
from gends.pipeline.planning.config import BuildConfig, ConfigError, EngineConfig

if TYPE_CHECKING:
    from gends.models.parametric.depth.estimator import DepthEstimator


def check_model(config: BuildConfig) -> None:
    """Find the models' files, downloading them where need be; loads no weights.

    Raises:
        ConfigError: there is no such model.
    """
    _depth(config)
    if "gendeg" not in config.engines:
        return
    from gends.models.gendeg.source import locate  # noqa: PLC0415

    name, revision = _model(config)
    try:
        locate(name, revision)
    except (OSError, ValueError) as error:
        raise ConfigError(f"model {config.model!r}: {error}") from error


def make_engines(config: BuildConfig) -> dict[str, Degrader]:
    """Construct the engines and load their weights, on the GPU when there is one.

    Raises:
        ConfigError: the model is not there or its files do not fit together.
    """
    return {name: _make(name, config) for name in config.engines}


def fingerprint(engines: Mapping[str, Degrader]) -> dict[str, str]:
    """Identity of all engines; with several, each one's facts stand under its name."""
    found = {name: engine.fingerprint() for name, engine in engines.items()}
    if len(found) == 1:
        return next(iter(found.values()))
    return {f"{name}.{key}": value for name, facts in found.items() for key, value in facts.items()}


def _make(name: str, config: BuildConfig) -> Degrader:
    # Imported where they are used: a parametric build loads neither torch nor diffusers.
    if name == "dry":
        from gends.models.dry import DryDegrader  # noqa: PLC0415

        return DryDegrader()
    if name == "parametric":
        from gends.models.parametric.engine import ParametricDegrader  # noqa: PLC0415

        settings = config.generator
        return ParametricDegrader(
            candidates=settings.candidates, variants=settings.variants, depth=_depth(config)
        )
    return _gendeg(config)


def _depth(config: BuildConfig) -> DepthEstimator | None:
    """The model that says how far things are; None: every formula guesses by itself."""
    from gends.models.parametric.depth.estimator import PROCEDURAL  # noqa: PLC0415

    if config.generator.depth == PROCEDURAL:
        return None
    from gends.models.parametric.depth.model import DepthModel  # noqa: PLC0415

    try:
        return DepthModel(config.generator.depth)
    except (OSError, ValueError) as error:
        raise ConfigError(f"depth {config.generator.depth!r}: {error}") from error


def _gendeg(config: BuildConfig) -> Degrader:
    import torch  # noqa: PLC0415

    from gends.models.gendeg.engine import GenDegDegrader  # noqa: PLC0415
    from gends.models.gendeg.model import GenDeg  # noqa: PLC0415

    settings = config.generator
    torch.set_num_threads(settings.threads)
    dtypes = {"auto": None, "fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    name, revision = _model(config)
    try:
        model = GenDeg.from_pretrained(
            name,
            revision,
            device="cuda" if torch.cuda.is_available() else "cpu",
            dtype=dtypes[settings.precision],
            compiled=settings.compile,
        )
    except (OSError, ValueError) as error:
        raise ConfigError(f"model {config.model!r}: {error}") from error
    sampling = replace(model.sampling, **_given(settings))
    return GenDegDegrader(
        model,
        micro_batch=settings.micro_batch,
        sampling=sampling,
        structure=settings.structures(),
    )


def _model(config: BuildConfig) -> tuple[str, str | None]:
    if Path(config.model).exists():
        return config.model, None  # a folder's name may hold an @ of its own
    name, _, revision = config.model.partition("@")
    return name, revision or None


def _given(settings: EngineConfig) -> dict[str, Any]:
    """What the user set; the rest stays as the model has it."""
    fields = ("sampler", "steps", "text_guidance", "image_guidance")
    values = {name: getattr(settings, name) for name in fields}
    return {name: value for name, value in values.items() if value is not None}
