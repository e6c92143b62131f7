"""A model as a folder in diffusers' layout: model_index.json and one folder for each part."""

from __future__ import annotations

import contextlib
import copy
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar, cast

import diffusers
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTextModel

from gends.models.degradations import Structure, check_structures
from gends.models.files.erase import erase
from gends.models.files.json_object import construct, read_object
from gends.models.files.module_folder import (
    DIFFUSERS,
    load_module,
    make_readable,
    save_module,
    to_json,
)
from gends.models.gendeg.calibration import Calibration
from gends.models.gendeg.fit import misfit
from gends.models.gendeg.instruction.conditioning import SeverityConditioner
from gends.models.gendeg.instruction.tokenizer import load_tokenizer, save_tokenizer
from gends.models.gendeg.network import AUTOENCODERS
from gends.models.gendeg.parts import Parts
from gends.models.gendeg.sampling.noise_schedule import NoiseSchedule
from gends.models.gendeg.sampling.settings import SamplingSettings
from gends.models.gendeg.target import Target
from gends.models.scm import StructureCorrection

INDEX, CALIBRATION = "model_index.json", "calibration.json"
MODULES: dict[str, dict[str, tuple[str, Any]]] = {
    "unet": {"UNet2DConditionModel": ("diffusers", UNet2DConditionModel)},
    "vae": {
        "AutoencoderKL": ("diffusers", AUTOENCODERS["AutoencoderKL"]),
        "PatchAutoencoder": ("gends", AUTOENCODERS["PatchAutoencoder"]),
    },
    "text_encoder": {"CLIPTextModel": ("transformers", CLIPTextModel)},
    "conditioner": {"SeverityConditioner": ("gends", SeverityConditioner)},
    "scm": {"StructureCorrection": ("gends", StructureCorrection)},
}
"""Folder → class name → library and class. Nothing else is ever imported for a model's sake."""
OPTIONAL = {"scm"}
CLASS = "GenDeg"
WRITTEN = ("scm", "sampling", "target", "captions", "structure")
"""Keys that every index has; a default in their place would paint other pictures."""

T = TypeVar("T")


def save_model(path: Path, parts: Parts, dtype: torch.dtype | None = None) -> None:
    """Write all parts of a model to the folder `path`, in place of one that is there.

    `dtype` is that of the stored weights; as they are by default. A new folder appears when all is
    in it.

    Raises:
        FileExistsError: there is something in the folder that is no such model.
    """
    check_place(path)
    if (path / INDEX).exists():
        _write_model(path, parts, dtype)
        return
    partial = path.absolute().with_name(f".partial-{path.absolute().name}")
    erase(partial)
    partial.mkdir(parents=True)
    _write_model(partial, parts, dtype)
    partial.rename(path)  # in place of an empty folder, if there is one


def check_place(path: Path) -> None:
    """Raise FileExistsError where a model cannot be written without the loss of something else."""
    if path.is_dir() and any(path.iterdir()):
        with contextlib.suppress(ValueError):
            if read_object(path / INDEX).get("_class_name") == CLASS:
                return
        raise FileExistsError(f"{path} holds something that is no {CLASS} model; name a new folder")


def _write_model(path: Path, parts: Parts, dtype: torch.dtype | None) -> None:
    index: dict[str, Any] = {
        "_class_name": CLASS,
        "_diffusers_version": diffusers.__version__,
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "DDPMScheduler"],
        "sampling": asdict(parts.sampling),
        "target": asdict(parts.target),
        "captions": parts.captions,
        "structure": dict(parts.structure),
    }
    for part, classes in MODULES.items():
        module = parts.modules.get(part)
        index[part] = [None, None]
        erase(path / part)
        if module is not None:
            name = type(module).__name__
            index[part] = [classes[name][0], name]
            _save_module(module, path / part, dtype)
    for other in ("tokenizer", "scheduler", CALIBRATION):
        erase(path / other)
    save_tokenizer(parts.tokenizer, path / "tokenizer")
    parts.schedule.scheduler.save_pretrained(path / "scheduler")
    if parts.calibration.curves:
        parts.calibration.save(path / CALIBRATION)
    erase(path / INDEX)
    (path / INDEX).write_text(to_json(index), encoding="utf-8")


def load_model(path: Path) -> Parts:
    """What `save_model` wrote to `path`; weights float32, on the CPU.

    Raises:
        ValueError: not such a folder, an unknown class, settings that are none, weights that do
            not fit the classes, or parts that do not fit each other.
    """
    index = _read_index(path)
    calibration, scheduler = path / CALIBRATION, path / "scheduler" / "scheduler_config.json"
    parts = Parts(
        modules={part: _load_module(path, part, index) for part in MODULES},
        tokenizer=load_tokenizer(path / "tokenizer"),
        schedule=_named(scheduler, NoiseSchedule.from_config, read_object(scheduler)),
        sampling=_named(f"{path / INDEX}: sampling", _sampling, index["sampling"]),
        target=_named(f"{path / INDEX}: target", construct, Target, index["target"]),
        captions=index["captions"],
        structure=_named(f"{path / INDEX}: structure", _structure, index["structure"]),
        calibration=Calibration.load(calibration) if calibration.exists() else Calibration(),
    )
    if found := misfit(parts):
        raise ValueError(f"{path}/{found}; take all parts from one model")
    return parts


def _read_index(path: Path) -> dict[str, Any]:
    index = _named(f"{path} holds no model", read_object, path / INDEX)
    if (found := index.get("_class_name")) != CLASS:
        raise ValueError(
            f"{path / INDEX}: _class_name is {reprlib.repr(found)}, that of a model is {CLASS!r}"
        )
    for key in WRITTEN:
        if key not in index:
            raise ValueError(f"{path / INDEX}: {key!r} is missing; copy the file anew")
    if not isinstance(index["captions"], bool):
        raise ValueError(f"{path / INDEX}: captions is {index['captions']!r}; give true or false")
    if not isinstance(index["target"], dict) or "kind" not in index["target"]:
        raise ValueError(f"{path / INDEX}: target has no kind; copy the file anew")
    return index


def _sampling(values: object) -> SamplingSettings:
    settings = construct(SamplingSettings, values)
    if lost := asdict(settings).keys() - cast(dict[str, Any], values).keys():
        raise ValueError(f"{min(lost)!r} is missing; copy the file anew")
    return settings


def _structure(values: object) -> dict[str, Structure]:
    if not isinstance(values, dict):
        raise ValueError(f"expected an object, got {reprlib.repr(values)}")
    check_structures(values)
    return values


def _named(where: object, make: Callable[..., T], *arguments: Any) -> T:
    """What `make` returns; where it refuses, the place in the model's folder is named."""
    try:
        return make(*arguments)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _save_module(module: nn.Module, path: Path, dtype: torch.dtype | None) -> None:
    stored: Any = module if dtype is None else nn.Module.to(copy.deepcopy(module), dtype)
    if isinstance(stored, CLIPTextModel):
        _save_text_encoder(stored, path)
        make_readable(path)
    else:
        save_module(stored, path)


def _save_text_encoder(encoder: CLIPTextModel, path: Path) -> None:
    """Keys with the prefix are what transformers 4 and other readers of CLIP expect; 5 drops it."""
    path.mkdir(parents=True, exist_ok=True)
    config = copy.deepcopy(encoder.config)
    config.dtype = encoder.dtype
    config.save_pretrained(path)
    tensors = {
        f"text_model.{key.removeprefix('text_model.')}": value.contiguous()
        for key, value in encoder.state_dict().items()
    }
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})


def _load_module(path: Path, part: str, index: Mapping[str, Any]) -> nn.Module | None:
    entry = index.get(part)
    name = entry[1] if isinstance(entry, list) and len(entry) == 2 else entry
    if entry == [None, None] and part in OPTIONAL:
        return None
    if name not in list(MODULES[part]):
        raise ValueError(
            f"{path / INDEX}: {part} is of class {reprlib.repr(name)}; known are "
            f"{', '.join(MODULES[part])}"
        )
    if not (path / part).is_dir():
        raise ValueError(f"{path / INDEX} lists {part}, but there is no folder {path / part}")
    # A wrong shape is to be named by the library where it can be.
    options = {"ignore_mismatched_sizes": True} if part == "text_encoder" else DIFFUSERS
    return load_module(MODULES[part][name][1], path / part, **options)
