from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image as Pillow

from gends.models.degrader import Degraded
from gends.pipeline.format.decode import decode
from gends.pipeline.making.pack import Packer, encode
from gends.pipeline.planning.config import BuildConfig

CONFIGS = {name: BuildConfig(image_format=name) for name in ("png", "webp", "jpg")}
sizes = st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3))


@pytest.fixture(scope="module")
def picture(photographs):
    return np.ascontiguousarray(photographs["chelsea"][40:168, 100:228])


@settings(max_examples=50)
@given(image=arrays(np.uint8, sizes), name=st.sampled_from(["png", "webp"]))
def test_lossless_formats_give_every_pixel_back(image, name):
    data = encode(image, CONFIGS[name])
    assert np.array_equal(decode(data), image)
    assert encode(image.copy(), CONFIGS[name]) == data


@pytest.mark.parametrize(("name", "kind"), [("png", "PNG"), ("webp", "WEBP"), ("jpg", "JPEG")])
def test_a_photograph_in_each_format(picture, name, kind):
    data = encode(picture, CONFIGS[name])
    with Pillow.open(io.BytesIO(data)) as image:
        assert (image.format, image.mode, image.size) == (kind, "RGB", (128, 128))
    back = decode(data).astype(int)
    assert np.abs(back - picture).mean() < (2 if name == "jpg" else 1e-9)
    # Views with strides of their own are stored as they look.
    flipped = picture[:, ::-1]
    assert encode(flipped, CONFIGS[name]) == encode(flipped.copy(), CONFIGS[name])


def test_quality_decides_the_size_of_a_jpg(picture):
    low, high = (BuildConfig(image_format="jpg", jpg_quality=q) for q in (50, 95))
    assert len(encode(picture, low)) < len(encode(picture, high)) < len(picture.tobytes())


def test_what_is_judged_is_what_a_reader_will_see(picture):
    pair = Degraded(lq=picture // 2, gt=picture, target_kind="clean", scm_applied=False)
    packed = Packer(CONFIGS["jpg"]).pack(pair)
    assert np.array_equal(packed.pair.lq, decode(packed.lq_bytes))
    assert np.array_equal(packed.pair.gt, decode(packed.gt_bytes))
    assert not np.array_equal(packed.pair.gt, picture)
    assert Packer(CONFIGS["png"]).pack(pair).pair is pair


def test_only_what_is_asked_for_is_encoded_and_a_shared_gt_once(picture, monkeypatch):
    encoded = []
    monkeypatch.setattr(
        "gends.pipeline.making.pack.encode",
        lambda image, config: encoded.append(image) or encode(image, config),
    )
    packer, kept = Packer(CONFIGS["png"]), {"target_kind": "clean", "scm_applied": False}
    rejected, *accepted = [
        packer.pack(Degraded(lq=picture // part, gt=picture, **kept)) for part in (1, 2, 3)
    ]
    assert np.array_equal(rejected.pair.lq, picture)
    assert encoded == []
    for packed in accepted:
        assert np.array_equal(decode(packed.gt_bytes), picture)
        assert np.array_equal(decode(packed.lq_bytes), packed.pair.lq)
    assert len(encoded) == 3
