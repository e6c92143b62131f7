"""stub"""

import numpy as np


def draw_ground(seed, kind="varied", side=224):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)
