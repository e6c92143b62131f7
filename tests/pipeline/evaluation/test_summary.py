from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from gends.pipeline.evaluation.score import Scores
from gends.pipeline.evaluation.summary import SCHEMA, Bootstrap, summarise


def rows_of(summary, **wanted):
    return [r for r in summary.to_pylist() if all(r[k] == v for k, v in wanted.items())]


def test_means_are_those_of_the_table_and_intervals_hold_them(scores, summary):
    assert summary.schema == SCHEMA
    table = scores.table.to_pandas()
    rain = table[table.degradation == "rain"]
    wanted = {"degradation": "rain", "metric": "psnr", "mu_low": None, "severity_dataset": None}
    by_images = {row["images"]: row for row in rows_of(summary, **wanted)}
    assert list(by_images) == ["degraded", "restored", "gain"]
    for images in ("degraded", "restored"):
        row = by_images[images]
        assert row["value"] == pytest.approx(rain[f"psnr_{images}"].mean())
        assert row["low"] < row["value"] < row["high"]
        assert (row["pairs"], row["photographs"]) == (len(rain), rain.source_id.nunique())
        assert row["mu"] == pytest.approx(rain.mu.mean())
    gain = by_images["gain"]
    assert gain["value"] == pytest.approx(6, abs=0.5)
    # Pair by pair the gain is nearly constant, whatever the spread of either.
    assert gain["high"] - gain["low"] < 0.2 * (by_images["restored"]["high"] - row["low"])


def test_bins_and_severity_datasets_divide_their_degradation(scores, summary):
    whole = rows_of(summary, metric="ssim", images="restored", mu_low=None, severity_dataset=None)
    for row in whole[1:]:
        same = {"degradation": row["degradation"], "metric": "ssim", "images": "restored"}
        bins = [r for r in rows_of(summary, **same) if r["mu_low"] is not None]
        sets = [r for r in rows_of(summary, **same) if r["severity_dataset"] is not None]
        for parts in (bins, sets):
            assert sum(part["pairs"] for part in parts) == row["pairs"]
            weighted = sum(part["pairs"] * part["value"] for part in parts)
            assert weighted / row["pairs"] == pytest.approx(row["value"])
        assert all(r["mu_low"] <= r["mu"] <= r["mu_high"] for r in bins)
    assert sum(row["pairs"] for row in whole[1:]) == whole[0]["pairs"] == len(scores.table)


@pytest.fixture
def made():
    """Four pairs of two photographs; one has no number for the restored picture."""
    table = pa.table(
        {
            "source_id": ["a", "a", "b", "b"],
            "degradation": ["rain", "haze"] * 2,
            "severity_dataset": ["x"] * 4,
            "mu": [0.1, 0.1, 0.3, 0.3],
            "niqe_degraded": [1.0, 2.0, 3.0, 4.0],
            "niqe_restored": [0.5, None, 2.5, 2.0],
        }
    )
    random = np.random.default_rng(0)
    features = {
        name: random.normal(shift, 1, (4, 16)).astype(np.float32)
        for name, shift in (("clean", 0), ("degraded", 9), ("restored", 1))
    }
    return Scores(table=table, features=features)


def test_a_pair_counts_for_both_or_for_neither(made):
    summary = summarise("s", made, {"niqe": True})
    found = rows_of(summary, degradation=None)
    assert [(row["images"], row["value"], row["pairs"]) for row in found] == [
        ("degraded", pytest.approx((1 + 3 + 4) / 3), 3),
        ("restored", pytest.approx((0.5 + 2.5 + 2) / 3), 3),
        ("gain", pytest.approx(-1.0), 3),
    ]
    (alone, *_) = rows_of(summary, degradation="haze", mu_low=0.3)
    assert (alone["pairs"], alone["low"], alone["high"]) == (1, None, None)
    assert not rows_of(summary, degradation="haze", mu_low=0.1)


def test_fid_is_of_sets_and_has_no_interval(made):
    summary = summarise("s", made, {"fid": True}, bootstrap=Bootstrap(resamples=100))
    degraded, restored, gain = rows_of(summary, degradation=None)
    assert degraded["value"] > 16 * 40 > restored["value"] > 0
    assert gain["value"] == pytest.approx(restored["value"] - degraded["value"])
    assert {degraded["low"], restored["low"], gain["high"]} == {None}
    assert not rows_of(summary, degradation="rain", mu_low=0.1)  # a single pair


def test_is_the_same_every_time(scores, summary):
    again = summarise(
        "a_set", scores, {"psnr": False, "ssim": False}, bootstrap=Bootstrap(resamples=200)
    )
    assert again.equals(summary)
