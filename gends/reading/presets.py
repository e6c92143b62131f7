"""Pairs in the shapes that trainers expect.

Each shape is made of one pair or of a batch alike: pictures are then (3, H, W) or (B, 3, H, W),
names are texts or lists of texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image as Pillow

from gends.models.degrader import Image
from gends.pipeline.export.vocabulary import DACLIP_WORDS, PROMPTIR_IDS, word_of
from gends.pipeline.reading.beside import MAPS

if TYPE_CHECKING:
    from torch import Tensor

Item = dict[str, Any]

CLIP_SIDE = 224
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
"""Of the RGB channels in [0, 1]: Radford et al. 2021, arXiv 2103.00020, and its published code."""


class ItemFormat(NamedTuple):
    """How to shape pairs."""

    shape: Callable[[Item], Any]
    """From an item whose pictures are uint8; tensors with channels first if `is_tensor`."""
    is_tensor: bool = True
    view: Callable[[Image], Image] | None = None
    """A picture made of `lq`, uint8 (H, W, 3) to the same, which the shape finds as `view`."""
    members: tuple[str, ...] = ()
    """What it needs of what is stored beside pairs."""
    takes_members: bool = True
    """Whether others may be added."""
    is_labelled: bool = False
    """Whether the shape is told all labels, as `labels`."""
    signed: bool = False
    """Whether pictures are in [-1, 1] instead of [0, 1]."""

    def scaled(self, part: str, member: Any) -> Any:
        """A member that is added to the shape: maps for losses, grounds as the pictures are."""
        if not self.is_tensor:
            return member
        if part in MAPS:
            return member.long()
        return _signed(member) if self.signed else _unit(member)


def preset_of(name: str) -> ItemFormat:
    """The preset of a name.

    Raises:
        ValueError: there is none.
    """
    if name not in PRESETS:
        raise ValueError(f"no preset {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]


def wanted_members(preset: str, asked: Sequence[str]) -> tuple[str, ...]:
    """Those that were asked for, and those that the preset needs."""
    if isinstance(asked, str):
        raise ValueError(f"members are a list of names, as in members=({asked!r},)")
    return tuple(dict.fromkeys((*asked, *preset_of(preset).members)))


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Labels in the order of their numbers.

    Raises:
        ValueError: there are none, or one is there twice.
    """
    if isinstance(labels, str) or not labels or len(set(labels)) < len(labels):
        raise ValueError(f"labels must be names of degradations, each once; got {labels!r}")
    return tuple(labels)


def clip_view(lq: Image) -> Image:
    """What CLIP is shown: the shorter side resized to 224 (bicubic), the middle of the longer."""
    height, width, _ = lq.shape
    wide, tall = (CLIP_SIDE * side // min(height, width) for side in (width, height))
    resized = Pillow.fromarray(lq).resize((wide, tall), Pillow.Resampling.BICUBIC)
    left, top = (round((side - CLIP_SIDE) / 2) for side in (wide, tall))
    return np.array(resized.crop((left, top, left + CLIP_SIDE, top + CLIP_SIDE)))


def _plain(item: Item) -> Item:
    return {name: item[name] for name in PLAIN}


PLAIN = ("key", "degradation", "steps", "mu", "sigma", "caption", "gt", "lq")


def _tensor(item: Item) -> Item:
    names = {name: item[name] for name in ("key", "degradation", "steps", "mu", "sigma")}
    return {"lq": _unit(item["lq"]), "gt": _unit(item["gt"]), **names}


def _basicsr(item: Item) -> Item:
    return {
        "lq": _unit(item["lq"]),
        "gt": _unit(item["gt"]),
        "lq_path": _each(item["path"], "{}.lq.png".format),
        "gt_path": _each(item["path"], "{}.gt.png".format),
    }


def _promptir(item: Item) -> Any:
    number = _words(item, PROMPTIR_IDS, "PromptIR")
    lq, gt = _unit(item["lq"]), _unit(item["gt"])
    if isinstance(number, int):
        return [item["key"], number], lq, gt
    import torch  # noqa: PLC0415  pictures are tensors by now

    # The containers that torch's own collation makes of such items.
    return [[tuple(item["key"]), torch.tensor(number, device=lq.device)], lq, gt]


def _daclip(item: Item) -> Item:
    return {
        "GT": _unit(item["gt"]),
        "LQ": _unit(item["lq"]),
        "LQ_clip": _clip(item["view"]),
        "type": _words(item, DACLIP_WORDS, "DA-CLIP"),
        "GT_path": _each(item["path"], "{}.gt.png".format),
    }


def _diffplugin(item: Item) -> Item:
    return {
        "pixel_values": _signed(item["gt"]),
        "conditioning_pixel_values": _signed(item["lq"]),
    }


def _abair(item: Item) -> Item:
    names = {name: item[name] for name in ("key", "degradation", "steps")}
    return {
        "lq": _unit(item["lq"]),
        "gt": _unit(item["gt"]),
        "mask": item["mask"].long(),
        **names,
    }


def _defusion(item: Item) -> Item:
    pictures = {part: _signed(item[part]) for part in ("lq", "gt", "ground", "ground_lq")}
    instruction = pictures["ground_lq"] - pictures["ground"]
    names = {name: item[name] for name in ("key", "degradation", "steps")}
    return {**pictures, "instruction": instruction, **names}


def _diffrestorer(item: Item) -> Item:
    numbers = {label: number for number, label in enumerate(item["labels"])}
    label = _words({**item, "steps": item["degradation"]}, numbers, "labels=")
    if isinstance(label, list):
        import torch  # noqa: PLC0415  pictures are tensors by now

        label = item["lq"].new_tensor(label, dtype=torch.long)
    return {
        "lq": _signed(item["lq"]),
        "gt": _signed(item["gt"]),
        "lq_clip": _clip(item["view"]),
        "label": label,
        "key": item["key"],
        "degradation": item["degradation"],
    }


def _clip(view: Tensor) -> Tensor:
    """Normalised as CLIP wants its pictures."""
    unit = _unit(view)
    mean, std = (unit.new_tensor(values).view(3, 1, 1) for values in (CLIP_MEAN, CLIP_STD))
    return unit.sub_(mean).div_(std)


def _signed(picture: Tensor) -> Tensor:
    """From uint8 to float32 in [-1, 1]."""
    return picture.float().div_(127.5).sub_(1)


def _unit(picture: Tensor) -> Tensor:
    """From uint8 to float32 in [0, 1]."""
    return picture.float().div_(255)


def _each(names: str | list[str], change: Callable[[str], Any]) -> Any:
    return change(names) if isinstance(names, str) else [change(name) for name in names]


def _words(item: Item, words: Mapping[str, Any], whose: str) -> Any:
    """The words for the label of a pair, or a list of those of a batch."""

    def word(label: str, steps: str) -> Any:
        try:
            return word_of(words, label, steps, whose)
        except ValueError as error:
            raise ValueError(
                f"{error}: choose others by degradations=, or shape plain items by transform="
            ) from error

    if isinstance(item["degradation"], str):
        return word(item["degradation"], item["steps"])
    return [word(*one) for one in zip(item["degradation"], item["steps"], strict=True)]


PRESETS = {
    "plain": ItemFormat(_plain, is_tensor=False),
    "tensor": ItemFormat(_tensor),
    "basicsr": ItemFormat(_basicsr),
    "promptir": ItemFormat(_promptir, takes_members=False),
    "daclip": ItemFormat(_daclip, view=clip_view),
    "diffplugin": ItemFormat(_diffplugin, signed=True),
    "abair": ItemFormat(_abair, members=("mask",)),
    "defusion": ItemFormat(_defusion, members=("ground", "ground_lq"), signed=True),
    "diffrestorer": ItemFormat(_diffrestorer, view=clip_view, is_labelled=True, signed=True),
}
