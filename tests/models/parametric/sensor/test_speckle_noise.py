from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp
from skimage.util import random_noise

from gends.models.parametric.sensor.speckle_noise import SPECKLE_NOISE
from gends.models.pixels import Photo

WHITE = {"channels": "colour", "correlation": 0.5, "grain": 0.0}


def test_the_deviation_is_proportional_to_intensity():
    for grain in (0.0, 1.0):
        deviations = []
        for level in (0.1, 0.2, 0.4):
            flat = np.full((200, 200, 3), level, np.float32)
            noisy = SPECKLE_NOISE.apply(flat, {**WHITE, "grain": grain}, 0.15, 1)
            deviations.append(float(noisy.std()))
        slope, offset = np.polyfit([0.1, 0.2, 0.4], deviations, 1)
        assert slope == pytest.approx(0.15, rel=0.04)
        assert abs(offset) < 1e-3


def test_it_is_the_speckle_noise_of_scikit_image(photo: Photo):
    ours = SPECKLE_NOISE.apply(photo, WHITE, 0.2, 1) - photo
    theirs = random_noise(photo, "speckle", rng=2, var=0.04) - photo
    assert ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 0.01
    assert ks_2samp(1.05 * ours.ravel(), theirs.ravel()).pvalue < 0.01


def test_it_is_the_speckle_noise_of_imagenet_c(photo: Photo):
    corruptions = pytest.importorskip("imagecorruptions.corruptions")
    np.random.seed(0)  # noqa: NPY002
    theirs = corruptions.speckle_noise(photo * 255, severity=1) / 255 - photo
    ours = SPECKLE_NOISE.apply(photo, WHITE, 0.15, 1) - photo
    assert ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 0.01
