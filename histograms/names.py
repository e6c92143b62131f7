"""Names of degradations, as folders and publications spell them and as we do."""

from __future__ import annotations

import re

_NAME = re.compile(r"[a-z0-9_]+(\+[a-z0-9_]+)*")

_SPELLINGS = {
    "blur": "motion_blur",
    "blurry": "motion_blur",
    "hazy": "haze",
    "lowlight": "low_light",
    "motionblur": "motion_blur",
    "raindrops": "raindrop",
    "rainy": "rain",
    "snowy": "snow",
}


def degradation_name(text: str) -> str:
    """Our name for a degradation spelled in any usual way: `Low-Light` is `low_light`.

    A degradation of unknown name keeps it, in lower case with underscores. Raises ValueError if
    no name comes of it.
    """
    name = re.sub(r"[\s_-]+", "_", text.strip().lower())
    return check_degradation(_SPELLINGS.get(name.replace("_", ""), name))


def check_degradation(name: str) -> str:
    """`name`, if it may stand in keys and manifests; ValueError otherwise."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"a degradation's name consists of lower-case letters, digits and underscores "
            f"(compositions are joined by +), got {name!r}"
        )
    return name
