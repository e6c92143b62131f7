"""Our degradations in other projects' words. Needs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Word = TypeVar("Word")

DACLIP_WORDS = {
    "haze": "hazy",
    "rain": "rainy",
    "snow": "snowy",
    "motion_blur": "motion-blurry",
    "low_light": "low-light",
    "raindrop": "raindrop",
    "shadow": "shadowed",
    "noise": "noisy",
    "poisson_noise": "noisy",
    "speckle_noise": "noisy",
    "sensor_noise": "noisy",
    "jpeg": "jpeg-compressed",
    "double_jpeg": "jpeg-compressed",
}
"""Nine of the ten words of DA-CLIP (https://github.com/Algolzw/daclip-uir): all but `uncompleted`.
Its noise is Gaussian; what else is noise has its word, too."""

PROMPTIR_IDS = {
    "noise_15": 0,
    "noise_25": 1,
    "noise_50": 2,
    "rain": 3,
    "haze": 4,
    "motion_blur": 5,
    "snow": 6,
    "low_light": 7,
    "raindrop": 8,
    "noise": 9,
    "jpeg": 10,
    "defocus": 11,
    "quantization": 12,
    "sandstorm": 13,
    "underwater": 14,
    "reflection": 15,
    "lens_dirt": 16,
    "flare": 17,
    "chromatic_aberration": 18,
    "overexposure": 19,
    "poisson_noise": 20,
    "speckle_noise": 21,
    "shadow": 22,
    "sensor_noise": 23,
    "banding": 24,
    "moire": 25,
    "downsampling": 26,
    "double_jpeg": 27,
    "web": 28,
}
"""0 to 5 are those of PromptIR (https://github.com/va1shn9v/PromptIR), whose 0 to 2 are noise of
sigma 15, 25 and 50: names for mixtures of such noise. The rest are ours. PromptIR reads them, and
nothing in it depends on them."""


def word_of(words: Mapping[str, Word], label: str, steps: str, whose: str) -> Word:
    """The word for a pair's label or, where that is a name of its user's, for its only step.

    Raises:
        ValueError: there is none.
    """
    for name in (label, steps):
        if name in words:
            return words[name]
    raise ValueError(f"{whose} has no word for the degradation {label!r}")
