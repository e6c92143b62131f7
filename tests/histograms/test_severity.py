import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gends.histograms.severity import measure

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))
PAIRS = SHAPES.flatmap(lambda shape: st.tuples(arrays(np.uint8, shape), arrays(np.uint8, shape)))


def test_a_known_pair():
    gt = np.zeros((2, 1, 3), np.uint8)
    lq = gt.copy()
    lq[0] = 255
    severity = measure(lq, gt)
    assert (severity.mu, severity.sigma) == (0.5, 0.5)


@given(PAIRS)
def test_bytes_agree_with_the_definition(pair):
    lq, gt = pair
    difference = np.abs(lq.astype(np.longdouble) - gt.astype(np.longdouble)) / 255
    severity = measure(lq, gt)
    assert severity.mu == pytest.approx(float(difference.mean()), rel=1e-14, abs=1e-15)
    assert severity.sigma == pytest.approx(float(difference.std()), rel=1e-12, abs=1e-9)


@given(PAIRS)
def test_it_is_symmetric_and_bounded(pair):
    lq, gt = pair
    severity = measure(lq, gt)
    assert severity == measure(gt, lq)
    assert 0 <= severity.mu <= 1
    assert severity.sigma <= (severity.mu * (1 - severity.mu)) ** 0.5 + 1e-12


def test_a_constant_difference_has_no_spread_at_all():
    # In floating point the two terms of the variance would not cancel.
    gt = np.arange(300 * 300 * 3, dtype=np.int64).reshape(300, 300, 3) % 200
    severity = measure((gt + 37).astype(np.uint8), gt.astype(np.uint8))
    assert (severity.mu, severity.sigma) == (37 / 255, 0.0)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_agree_with_bytes(dtype):
    rng = np.random.default_rng(0)
    lq, gt = rng.integers(0, 256, (2, 32, 24, 3), dtype=np.uint8)
    exact, got = measure(lq, gt), measure((lq / 255).astype(dtype), (gt / 255).astype(dtype))
    tolerance = float(np.finfo(dtype).eps)
    assert got.mu == pytest.approx(exact.mu, abs=tolerance)
    assert got.sigma == pytest.approx(exact.sigma, abs=tolerance)


IMAGE = np.zeros((4, 5, 3), np.uint8)


@pytest.mark.parametrize(
    ("lq", "message"),
    [
        (np.zeros((5, 4, 3), np.uint8), "one shape"),
        (np.zeros((4, 5, 3), np.float32), "one dtype"),
    ],
)
def test_images_that_do_not_match_are_refused(lq, message):
    with pytest.raises(ValueError, match=message):
        measure(lq, IMAGE)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 5), np.uint8), "RGB"),
        (np.zeros((4, 5, 4), np.uint8), "RGB"),
        (np.zeros((0, 5, 3), np.uint8), "RGB"),
        (np.zeros((4, 5, 3), np.int32), "uint8"),
        (np.full((4, 5, 3), 255.0), "rescale"),
        (np.full((4, 5, 3), np.nan), "rescale"),
    ],
)
def test_what_is_no_image_is_refused(image, message):
    with pytest.raises(ValueError, match=message):
        measure(image, image)
