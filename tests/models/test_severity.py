import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gends.models.severity import measure


def pair(seed, count, height, width, strength):
    random = np.random.default_rng(seed)
    gt = random.integers(0, 256, (count, 3, height, width))
    lq = np.clip(gt + strength * random.normal(size=gt.shape), 0, 255)
    return lq.round().astype(np.uint8), gt.astype(np.uint8)


@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 3),
    sides=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    strength=st.floats(0, 300),
)
def test_it_is_the_mean_and_spread_of_the_absolute_difference(seed, count, sides, strength):
    lq, gt = pair(seed, count, *sides, strength)
    difference = np.abs(lq.astype(np.float64) - gt) / 255
    expected = difference.reshape(count, -1).mean(1), difference.reshape(count, -1).std(1)
    bytes_ = torch.from_numpy(lq), torch.from_numpy(gt)
    floats = [image.float() / 255 for image in bytes_]
    doubles = [image.double() / 255 for image in bytes_]
    for images, tolerance in ((bytes_, 1e-6), (floats, 1e-6), (doubles, 1e-12)):
        for found, wanted in zip(measure(*images), expected, strict=True):
            np.testing.assert_allclose(found, wanted, atol=tolerance)


def test_known_values():
    gt = torch.zeros(2, 3, 4, 4)
    lq = gt.clone()
    lq[1, :, :2] = 0.5
    mu, sigma = measure(lq, gt)
    assert mu.tolist() == [0, 0.25]
    assert sigma.tolist() == [0, 0.25]


def test_half_precision_images_are_measured_in_single():
    lq, gt = pair(0, 1, 64, 64, 20)
    mu, sigma = measure(torch.from_numpy(lq).half() / 255, torch.from_numpy(gt).half() / 255)
    assert mu.dtype == sigma.dtype == torch.float32
    exact = measure(torch.from_numpy(lq), torch.from_numpy(gt))
    torch.testing.assert_close((mu, sigma), exact, rtol=0, atol=3e-4)


@pytest.mark.parametrize(
    ("lq", "gt"),
    [
        (torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 5)),
        (torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4, dtype=torch.uint8)),
        (torch.zeros(3, 4, 4), torch.zeros(3, 4, 4)),
        (torch.zeros(1, 4, 4, 3), torch.zeros(1, 4, 4, 3)),
        (torch.zeros(1, 3, 4, 4, dtype=torch.int64), torch.zeros(1, 3, 4, 4, dtype=torch.int64)),
    ],
)
def test_other_tensors_are_refused(lq, gt):
    with pytest.raises(ValueError, match=r"must be|uint8"):
        measure(lq, gt)
