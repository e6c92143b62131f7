from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from gends import PairDataset
from gends.models.metrics.catalog import open_metrics
from gends.models.metrics.metric import Metric
from gends.pipeline.evaluation.pairs import select_pairs
from gends.pipeline.evaluation.score import score_pairs
from gends.pipeline.format.damage import PairError


def test_every_pair_is_scored_as_it_is_and_as_it_was_restored(finished, scores):
    table = scores.table.to_pylist()
    pairs = PairDataset(finished.store.root)
    assert [row["key"] for row in table] == [pair["key"] for pair in pairs]
    assert len(table) > 20
    for row, pair in zip(table, pairs, strict=True):
        psnr = peak_signal_noise_ratio(pair["gt"], pair["lq"])
        assert row["psnr_degraded"] == pytest.approx(psnr, abs=1e-4)
        # Half of every difference is a quarter of its square: 6.02 dB, but for rounding.
        assert 5 < row["psnr_restored"] - row["psnr_degraded"] < 8
        assert row["ssim_restored"] > row["ssim_degraded"]
    assert scores.failures == {}


@pytest.fixture
def few(finished):
    return select_pairs(finished.store.root, limit=1)


def test_pictures_without_a_number_are_counted_and_named(finished, few, tmp_path):
    def picky(picture, clean):
        if (picture != clean).any():
            raise RuntimeError("too small for this kernel\nat line 7")
        return float("nan")

    metric = Metric(name="picky", lower_is_better=True, score=picky, origin="a test")
    metrics = dataclasses.replace(open_metrics(["psnr"]), single=(metric,))
    scores = score_pairs(finished.store.root, few, lambda row, lq: lq, metrics, scratch=tmp_path)
    assert scores.table["picky_degraded"].null_count == len(few)
    failures = scores.failures["picky"]
    assert failures.count == 2 * len(few)
    assert failures.first == f"{few['key'][0]}: too small for this kernel"


def test_features_of_all_three_pictures_go_to_disk(finished, few, halfway, tmp_path):
    def features(image):
        return np.resize(image.mean(axis=(0, 1)), 2048).astype(np.float32)

    metrics = dataclasses.replace(open_metrics([]), features=features)
    scores = score_pairs(finished.store.root, few, halfway, metrics, scratch=tmp_path)
    clean, degraded, restored = (
        scores.features[name][:, 0] for name in ("clean", "degraded", "restored")
    )
    assert np.abs(degraded - clean).max() > 1
    np.testing.assert_allclose(restored, (clean + degraded) / 2, atol=1)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_restored_picture_of_another_size_and_a_damaged_pair_end_it(copied, few, tmp_path):
    root, metrics = copied.store.root, open_metrics(["psnr"])
    with pytest.raises(ValueError, match=r"shape \(32, 64, 3\), its pair \(64, 64, 3\)"):
        score_pairs(root, few, lambda row, lq: lq[:32], metrics, scratch=tmp_path)
    shard = root / "shards" / "000000.tar"
    shard.write_bytes(bytes(shard.stat().st_size))
    with pytest.raises(PairError, match="not those that the manifest recorded"):
        score_pairs(root, few, lambda row, lq: lq, metrics, scratch=tmp_path)
