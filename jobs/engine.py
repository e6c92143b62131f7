"""Make the engine that a configuration names."""

from __future__ import annotations

from gends.models.degrader import Degrader
from gends.pipeline.config import BuildConfig, ConfigError


def make_engine(config: BuildConfig) -> Degrader:
    """Construct the engine and load its weights, on the GPU when there is one.

    Raises:
        ConfigError: the model is not there or its files do not fit together.
    """
    # Engines are imported where they are used: a parametric build loads neither torch nor diffusers.
    if config.engine == "dry":
        from gends.models.dry import DryDegrader  # noqa: PLC0415

        return DryDegrader()
    if config.engine == "parametric":
        from gends.models.parametric.engine import ParametricDegrader  # noqa: PLC0415

        return ParametricDegrader(candidates=config.generator.candidates)
    return _gendeg(config)


def _gendeg(config: BuildConfig) -> Degrader:
    import torch  # noqa: PLC0415

    from gends.models.gendeg.engine import GenDegDegrader  # noqa: PLC0415
    from gends.models.gendeg.model import GenDeg  # noqa: PLC0415

    settings = config.generator
    torch.set_num_threads(settings.threads)
    name, _, revision = config.model.partition("@")
    try:
        model = GenDeg.from_pretrained(name, revision=revision or None)
    except (OSError, ValueError) as error:
        raise ConfigError(f"model {config.model!r}: {error}") from error
    return GenDegDegrader(
        model,
        sampler=settings.sampler,
        steps=settings.steps,
        text_guidance=settings.text_guidance,
        image_guidance=settings.image_guidance,
        micro_batch=settings.micro_batch,
        precision=settings.precision,
        compile=settings.compile,
    )
