"""What of a processor decides how results are rounded: the instructions that libraries choose."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

PROCESSOR = "processor"
MIXED = {PROCESSOR: "mixed"}
"""What stands in a fingerprint instead, where processors were allowed to differ from the start."""

_CLASSES = {
    "avx512": {"X86_V4", "AVX512_SKX", "AVX512-SKX"},
    "avx2": {"X86_V3", "AVX2"},
    "avx": {"AVX"},
    "sve": {"SVE"},
    "neon": {"NEON", "ASIMD"},
    "sse4.2": {"X86_V2", "SSE42", "SSE4.2"},
}
"""Classes of instructions, widest first, by the names that numpy and OpenCV have for them."""
_FOR_BF16 = ("avx512_bf16", "amx_bf16", "bf16")
"""Instructions that add up products of bfloat16 as no others do."""
_CHOICES = ("ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR")
"""Variables that have PyTorch's libraries leave instructions; nothing else shows that."""


def processor(*, torch: bool) -> dict[str, str]:
    """What of this machine decides the last bits of results, each by a name of its own.

    The architecture and who made the processor, as some libraries have code for each; and the class
    of instructions that numpy, OpenCV and, where `torch` computes, PyTorch have chosen here. The
    order of additions and the use of fused multiply-add follow from these.
    """
    information = _information()
    made_by = re.search(r"^(?:vendor_id|CPU implementer)\s*: (.+)$", information, re.MULTILINE)
    found = {
        "machine": platform.machine(),
        "vendor": made_by[1] if made_by else "unknown",
        "numpy": _widest(_of_numpy()),
        "opencv": " ".join([_widest(_of_opencv()), *_of_ipp()]),
    }
    return found | ({"torch": _of_torch(information)} if torch else {})


def with_processor(fingerprint: Mapping[str, str], *, torch: bool) -> dict[str, str]:
    """An engine's fingerprint and, as `processor.NAME`, what of this machine decides results."""
    here = {f"{PROCESSOR}.{name}": value for name, value in processor(torch=torch).items()}
    return {**fingerprint, **here}


def without_processor(fingerprint: Mapping[str, str]) -> dict[str, str]:
    """What of a fingerprint has nothing to do with the machine's processor."""
    return {name: value for name, value in fingerprint.items() if not of_processor(name)}


def is_mixed(fingerprint: Mapping[str, str]) -> bool:
    """Whether a dataset was begun with processors that may differ."""
    return MIXED.items() <= fingerprint.items()


def of_processor(name: str) -> bool:
    """Whether a part of a fingerprint tells of the processor."""
    return name == PROCESSOR or name.startswith(f"{PROCESSOR}.")


def _widest(names: Iterable[str]) -> str:
    known = set(names)
    return next((name for name, marks in _CLASSES.items() if marks & known), "baseline")


def _of_numpy() -> list[str]:
    """What numpy has code for and this machine can run; NPY_DISABLE_CPU_FEATURES counts."""
    known: Any = np.show_config(mode="dicts")["SIMD Extensions"]
    return [*known.get("baseline", ()), *known.get("found", ())]


def _of_opencv() -> list[str]:
    """As numpy's; a `?` marks what this machine lacks, or OPENCV_CPU_DISABLE takes away."""
    return [n.lstrip("*") for n in cv2.getCPUFeaturesLine().split() if not n.endswith("?")]


def _of_ipp() -> list[str]:
    """Code of the variant that Intel's library inside of OpenCV takes, as `k0`."""
    code = re.search(r"\((\w\w)\)", cv2.ipp.getIppVersion()) if cv2.ipp.useIPP() else None
    return [f"ipp-{code[1]}"] if code else []


def _of_torch(information: str) -> str:
    import torch  # noqa: PLC0415  only where it computes

    flags = set(information.split())
    chosen = [f"{name}={os.environ[name]}" for name in _CHOICES if name in os.environ]
    widest = torch.backends.cpu.get_cpu_capability().lower()
    return " ".join([widest, *(name for name in _FOR_BF16 if name in flags), *chosen])


def _information() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
