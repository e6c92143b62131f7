"""A model as a folder in diffusers' layout: model_index.json and one folder for each part."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import diffusers
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer

from gends.models.gendeg.calibration import Calibration
from gends.models.gendeg.conditioning import SeverityConditioner
from gends.models.gendeg.network import AUTOENCODERS
from gends.models.gendeg.noise_schedule import NoiseSchedule
from gends.models.gendeg.parts import Parts
from gends.models.gendeg.sampling_settings import SamplingSettings
from gends.models.gendeg.target import Target
from gends.models.gendeg.tokenizer import save_tokenizer
from gends.models.module_folder import DIFFUSERS, load_module, make_readable, save_module, to_json
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


def save_model(path: Path, parts: Parts, dtype: torch.dtype | None = None) -> None:
    """Write all parts of a model to the folder `path`, in place of one that is there.

    `dtype` is that of the stored weights; as they are by default.
    """
    path.mkdir(parents=True, exist_ok=True)
    index: dict[str, Any] = {
        "_class_name": "GenDeg",
        "_diffusers_version": diffusers.__version__,
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "DDPMScheduler"],
        "sampling": asdict(parts.sampling),
        "target": asdict(parts.target),
        "captions": parts.captions,
    }
    for part, classes in MODULES.items():
        module = parts.modules.get(part)
        index[part] = [None, None]
        shutil.rmtree(path / part, ignore_errors=True)
        if module is not None:
            name = type(module).__name__
            index[part] = [classes[name][0], name]
            _save_module(module, path / part, dtype)
    save_tokenizer(parts.tokenizer, path / "tokenizer")
    parts.schedule.scheduler.save_pretrained(path / "scheduler")
    (path / CALIBRATION).unlink(missing_ok=True)
    if parts.calibration.curves:
        parts.calibration.save(path / CALIBRATION)
    (path / INDEX).write_text(to_json(index), encoding="utf-8")


def load_model(path: Path) -> Parts:
    """What `save_model` wrote to `path`; weights float32, on the CPU.

    Raises:
        ValueError: not such a folder, an unknown class, or weights that do not fit the classes.
    """
    index = _read_index(path)
    calibration = path / CALIBRATION
    return Parts(
        modules={part: _load_module(path, part, index) for part in MODULES},
        tokenizer=CLIPTokenizer.from_pretrained(path / "tokenizer", local_files_only=True),
        schedule=NoiseSchedule.from_config(dict(DDPMScheduler.load_config(path / "scheduler"))),
        sampling=SamplingSettings(**index.get("sampling", {})),
        target=Target(**index.get("target", {})),
        captions=bool(index.get("captions", True)),
        calibration=Calibration.load(calibration) if calibration.exists() else Calibration(),
    )


def _read_index(path: Path) -> dict[str, Any]:
    try:
        return cast(dict[str, Any], json.loads((path / INDEX).read_text(encoding="utf-8")))
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} holds no model: {INDEX}: {error}") from error


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
    name = (index.get(part) or [None, None])[1]
    if name is None and part in OPTIONAL:
        return None
    if name not in MODULES[part]:
        raise ValueError(
            f"{path / INDEX}: {part} is of class {name!r}; known are {', '.join(MODULES[part])}"
        )
    if not (path / part).is_dir():
        raise ValueError(f"{path / INDEX} lists {part}, but there is no folder {path / part}")
    # A wrong shape is to be named by the library where it can be.
    options = {"ignore_mismatched_sizes": True} if part == "text_encoder" else DIFFUSERS
    return load_module(MODULES[part][name][1], path / part, **options)
