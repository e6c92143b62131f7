"""Pairs in the shapes that trainers expect.

Each shape is made of one pair or of a batch alike: pictures are then (3, H, W) or (B, 3, H, W),
names are texts or lists of texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image as Pillow

from gends.models.degrader import Image
from gends.pipeline.export.vocabulary import DACLIP_WORDS

if TYPE_CHECKING:
    from torch import Tensor

Item = dict[str, Any]

PROMPTIR_IDS = {"rain": 3, "haze": 4, "motion_blur": 5, "snow": 6, "low_light": 7, "raindrop": 8}
"""3 to 5 are those of PromptIR (https://github.com/va1shn9v/PromptIR), whose 0 to 2 are noise; the
rest are ours. PromptIR reads them, and nothing in it depends on them."""

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


def preset_of(name: str) -> ItemFormat:
    """The preset of a name.

    Raises:
        ValueError: there is none.
    """
    if name not in PRESETS:
        raise ValueError(f"no preset {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]


def clip_view(lq: Image) -> Image:
    """What CLIP is shown: the shorter side resized to 224 (bicubic), the middle of the longer."""
    height, width, _ = lq.shape
    wide, tall = (CLIP_SIDE * side // min(height, width) for side in (width, height))
    resized = Pillow.fromarray(lq).resize((wide, tall), Pillow.Resampling.BICUBIC)
    left, top = (round((side - CLIP_SIDE) / 2) for side in (wide, tall))
    return np.array(resized.crop((left, top, left + CLIP_SIDE, top + CLIP_SIDE)))


def _plain(item: Item) -> Item:
    return {name: item[name] for name in PLAIN}


PLAIN = ("key", "degradation", "mu", "sigma", "caption", "gt", "lq")


def _tensor(item: Item) -> Item:
    names = {name: item[name] for name in ("key", "degradation", "mu", "sigma")}
    return {"lq": _unit(item["lq"]), "gt": _unit(item["gt"]), **names}


def _basicsr(item: Item) -> Item:
    return {
        "lq": _unit(item["lq"]),
        "gt": _unit(item["gt"]),
        "lq_path": _each(item["path"], "{}.lq.png".format),
        "gt_path": _each(item["path"], "{}.gt.png".format),
    }


def _promptir(item: Item) -> Any:
    number = _each(item["degradation"], _known(PROMPTIR_IDS, "PromptIR"))
    lq, gt = _unit(item["lq"]), _unit(item["gt"])
    if isinstance(number, int):
        return [item["key"], number], lq, gt
    import torch  # noqa: PLC0415  pictures are tensors by now

    # The containers that torch's own collation makes of such items.
    return [[tuple(item["key"]), torch.tensor(number, device=lq.device)], lq, gt]


def _daclip(item: Item) -> Item:
    view = _unit(item["view"])
    mean, std = (view.new_tensor(values).view(3, 1, 1) for values in (CLIP_MEAN, CLIP_STD))
    return {
        "GT": _unit(item["gt"]),
        "LQ": _unit(item["lq"]),
        "LQ_clip": view.sub_(mean).div_(std),
        "type": _each(item["degradation"], _known(DACLIP_WORDS, "DA-CLIP")),
        "GT_path": _each(item["path"], "{}.gt.png".format),
    }


def _diffplugin(item: Item) -> Item:
    gt, lq = (item[part].float().div_(127.5).sub_(1) for part in ("gt", "lq"))
    return {"pixel_values": gt, "conditioning_pixel_values": lq}


def _unit(picture: Tensor) -> Tensor:
    """From uint8 to float32 in [0, 1]."""
    return picture.float().div_(255)


def _each(names: str | list[str], change: Callable[[str], Any]) -> Any:
    return change(names) if isinstance(names, str) else [change(name) for name in names]


def _known(words: Mapping[str, Any], whose: str) -> Callable[[str], Any]:
    def look(degradation: str) -> Any:
        if degradation not in words:
            raise ValueError(
                f"{whose} has no word for the degradation {degradation!r}: choose others by "
                "degradations=, or shape plain items by transform="
            )
        return words[degradation]

    return look


PRESETS = {
    "plain": ItemFormat(_plain, is_tensor=False),
    "tensor": ItemFormat(_tensor),
    "basicsr": ItemFormat(_basicsr),
    "promptir": ItemFormat(_promptir),
    "daclip": ItemFormat(_daclip, view=clip_view),
    "diffplugin": ItemFormat(_diffplugin),
}
