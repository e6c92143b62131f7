from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from gends.models.metrics.frechet import frechet_distance


def by_the_formula(one, other):
    c1, c2 = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = sqrtm(c1 @ c2).real
    return np.sum((one.mean(0) - other.mean(0)) ** 2) + np.trace(c1 + c2 - 2 * root)


@pytest.mark.parametrize("counts", [(500, 300), (40, 30), (25, 400), (9, 5), (20, 20)])
def test_agrees_with_matrix_roots_for_many_pictures_and_for_few(counts):
    random = np.random.default_rng(0)
    mixing = random.normal(size=(20, 20))
    one, other = (random.normal(size=(count, 20)) @ mixing + 1 for count in counts)
    other = other * 1.5 + 0.3
    ours = frechet_distance(one.astype(np.float32), other.astype(np.float32))
    assert ours == pytest.approx(by_the_formula(one, other), rel=1e-3)


def test_a_set_is_at_distance_0_from_itself_and_a_shift_counts_squared():
    features = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(features, features + 2) == pytest.approx(8 * 4, rel=1e-5)


def test_one_picture_has_no_covariance():
    with pytest.raises(ValueError, match="sets of 1 and 3 pictures"):
        frechet_distance(np.zeros((1, 4), np.float32), np.zeros((3, 4), np.float32))
