import json
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from gends.models.training.objectives.latent_writer import NAMES, with_flips
from gends.models.training.objectives.latents import LatentCache

SIDE, STRIDE = 48, 8
CELLS = SIDE // STRIDE


def encode(images):
    """A stand-in with the geometry of an encoder: mean and spread of every 8×8 patch."""
    x = images.float() / 127.5 - 1
    return torch.cat([F.avg_pool2d(x, STRIDE), F.max_pool2d(x, STRIDE)], dim=1)


def make_pairs(count=14):
    random = np.random.default_rng(3)
    gts = random.integers(0, 256, (count // 2, SIDE, SIDE, 3), dtype=np.uint8)
    for row in range(count):
        gt = gts[row // 2]
        noise = random.integers(-90, 91, gt.shape)
        lq = np.clip(gt + noise * (row / count), 0, 255).astype(np.uint8)
        # rain ten times as often as snow and haze
        yield gt, lq, {0: "snow", 1: "haze"}.get(row, "rain")


@pytest.fixture(scope="module")
def pairs():
    return list(make_pairs())


@pytest.fixture(scope="module")
def cache(tmp_path_factory, pairs):
    path = tmp_path_factory.mktemp("latents") / "cache"
    return LatentCache.build(path, iter(pairs), encode, {"data": ("x",)}, batch_size=4)


@given(
    row=st.integers(0, 13),
    crop=st.integers(1, CELLS),
    place=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_severity_of_a_crop_is_that_of_its_pixels(cache, pairs, row, crop, place):
    top, left = (round(p * (CELLS - crop)) for p in place)
    gt, lq, _ = pairs[row]
    y, x, size = top * STRIDE, left * STRIDE, crop * STRIDE
    window = np.s_[y : y + size, x : x + size]
    difference = np.abs(lq[window].astype(np.float64) - gt[window]) / 255
    mu, sigma = cache.severity(row, top, left, crop)
    assert mu == pytest.approx(difference.mean(), abs=1e-12)
    assert sigma == pytest.approx(difference.std(), abs=1e-9)


def test_latents_are_those_of_the_images(cache, pairs):
    assert len(cache) == len(pairs)
    assert len(cache.clean) == len(pairs) // 2  # equal gts are stored once
    for row, (gt, lq, name) in enumerate(pairs):
        for image, stored in ((gt, cache.clean[cache.clean_index[row]]), (lq, cache.lq[row])):
            expected = encode(torch.from_numpy(image.transpose(2, 0, 1)[None].copy()))[0]
            np.testing.assert_array_equal(stored, expected.half().numpy())
        assert NAMES[cache.degradation[row]] == name


def test_crops_of_a_batch_belong_together(cache, pairs):
    batch = cache.batch(step=0, seed=1, batch_size=64, crop=2)
    assert batch["clean"].shape == batch["lq"].shape == (64, 6, 2, 2)
    assert batch["clean"].dtype == torch.float32
    for i in range(64):
        found = [
            (row, top, left)
            for row in range(len(pairs))
            for top in range(CELLS - 1)
            for left in range(CELLS - 1)
            if np.array_equal(batch["lq"][i], cache.lq[row, :, top : top + 2, left : left + 2])
        ]
        assert len(found) == 1
        row, top, left = found[0]
        clean = cache.clean[cache.clean_index[row], :, top : top + 2, left : left + 2]
        np.testing.assert_array_equal(batch["clean"][i], clean)
        assert int(batch["degradation"][i]) == cache.degradation[row]
        severity = (float(batch["mu"][i]), float(batch["sigma"][i]))
        assert severity == pytest.approx(cache.severity(row, top, left, 2), abs=1e-7)


def test_degradations_are_drawn_evenly(cache):
    drawn = Counter(cache.batch(step=4, seed=1, batch_size=3000, crop=1)["degradation"].tolist())
    assert set(drawn) == {NAMES.index(name) for name in ("haze", "rain", "snow")}
    assert all(850 < count < 1150 for count in drawn.values())


def test_a_batch_is_a_function_of_seed_and_step(cache):
    first, again = (cache.batch(step=7, seed=2, batch_size=16, crop=3) for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    for step, seed in ((8, 2), (7, 3)):
        other = cache.batch(step=step, seed=seed, batch_size=16, crop=3)
        assert not torch.equal(first["lq"], other["lq"])


def test_reopening_gives_the_same(cache, tmp_path, pairs):
    path = tmp_path / "again"
    LatentCache.build(path, iter(pairs), encode, {"data": ("x",)}, batch_size=5)
    reopened = LatentCache.open(path, {"data": ("x",)})
    for name in ("clean", "lq", "sums", "clean_index", "degradation"):
        np.testing.assert_array_equal(getattr(reopened, name), getattr(cache, name))
    with pytest.raises(ValueError, match=r"data was .* and is now 'y'"):
        LatentCache.open(path, {"data": "y"})
    with pytest.raises(ValueError, match="exists"):
        LatentCache.build(path, iter(pairs), encode, {})
    record = json.loads((path / "cache.json").read_text())
    (path / "cache.json").write_text(json.dumps(record | {"format": 99}))
    with pytest.raises(ValueError, match="rebuild"):
        LatentCache.open(path)


def test_an_interrupted_build_leaves_nothing_to_open(tmp_path, pairs):
    path = tmp_path / "cache"

    def torn():
        yield from pairs[:9]
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        LatentCache.build(path, torn(), encode, {}, batch_size=4)
    assert not path.exists()
    assert len(LatentCache.build(path, iter(pairs), encode, {}, batch_size=4)) == len(pairs)


def test_flips_are_rows_of_their_own(tmp_path, pairs):
    cache = LatentCache.build(tmp_path / "flipped", with_flips(pairs[:3]), encode, {})
    assert len(cache) == 6
    mirrored = np.flip(cache.lq[0], axis=-1)  # exact here only since the stand-in pools patches
    np.testing.assert_allclose(cache.lq[1], mirrored, atol=1e-3)
    np.testing.assert_array_equal(cache.sums[1], np.flip(cache.sums[0], axis=-1))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda gt, lq: (gt, lq, "fog"), "pair 2 is 'fog'"),
        (lambda gt, lq: (gt, lq[:40], "rain"), "lq of pair 2"),
        (lambda gt, lq: (gt.astype(np.float32), lq, "rain"), "gt of pair 2 is float32"),
    ],
)
def test_bad_pairs_are_named(tmp_path, pairs, change, match):
    bad = [*pairs[:2], change(*pairs[2][:2])]
    with pytest.raises(ValueError, match=match):
        LatentCache.build(tmp_path / "bad", bad, encode, {})


def test_bad_geometry_is_named(tmp_path, pairs, cache):
    with pytest.raises(ValueError, match="crop is 7"):
        cache.batch(0, 0, 1, CELLS + 1)
    with pytest.raises(ValueError, match="no pairs"):
        LatentCache.build(tmp_path / "empty", [], encode, {})
    cut = [(gt[:43], lq[:43], name) for gt, lq, name in pairs]
    with pytest.raises(ValueError, match="multiple of the encoder's stride"):
        LatentCache.build(tmp_path / "cut", cut, encode, {})
    with pytest.raises(ValueError, match="not finite"):
        LatentCache.build(tmp_path / "inf", pairs, lambda x: encode(x) * 1e6, {})
