"""Our degradations in other projects' words. Needs nothing."""

DACLIP_WORDS = {
    "haze": "hazy",
    "rain": "rainy",
    "snow": "snowy",
    "motion_blur": "motion-blurry",
    "low_light": "low-light",
    "raindrop": "raindrop",
}
"""Six of the ten words of DA-CLIP (https://github.com/Algolzw/daclip-uir)."""
