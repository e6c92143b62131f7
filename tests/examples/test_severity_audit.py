from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import skimage.data
from PIL import Image

from gends.histograms.bins import MU_BINS

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def distance(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import severity_distance  # noqa: PLC0415

    return severity_distance


def test_distances_are_those_of_scipy(distance):
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 50, MU_BINS.count).astype(float)
    published = distance.distribution(counts, MU_BINS)
    values = rng.beta(2, 6, 300)
    expected = scipy.stats.ks_1samp(values, published).statistic
    assert distance.kolmogorov_smirnov(values, published) == pytest.approx(expected, abs=1e-4)
    places = MU_BINS.edges[:-1, None] + (np.arange(200) + 0.5) / 200 * MU_BINS.width
    weights = np.repeat(counts, 200)
    expected = scipy.stats.wasserstein_distance(values, places.ravel(), v_weights=weights)
    assert distance.wasserstein(values, published) == pytest.approx(expected, rel=0.01)


@pytest.mark.slow
def test_every_data_set_and_real_set_is_judged(tmp_path: Path):
    """Pairs that are equal but for a known offset are told as such."""
    (tmp_path / "photos").mkdir()
    photo = skimage.data.chelsea()[:256, :256]
    Image.fromarray(photo).save(tmp_path / "photos" / "a.png")
    for half, change in (("gt", 0), ("lq", 20)):
        folder = tmp_path / "pairs" / "haze" / "lifted" / half
        folder.mkdir(parents=True)
        Image.fromarray(np.minimum(photo, 200) + np.uint8(change)).save(folder / "a.png")
    (tmp_path / "pairs" / "haze" / "alone_noref" / "lq").mkdir(parents=True)
    out = tmp_path / "audit.json"
    told = subprocess.run(
        [
            *(sys.executable, BENCHMARKS / "severity_audit.py"),
            *("--photos", tmp_path / "photos", "--pairs", tmp_path / "pairs"),
            *("--draws", "3", "--out", out, "--table", tmp_path / "audit.md"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "left out:" in told.stderr
    figures = json.loads(out.read_text())
    assert len(figures["published"]) == 21
    assert all(0 < row["sigma_ks"] <= 1 for row in figures["published"])
    (real,) = figures["real"]
    assert (real["dataset"], real["pairs"]) == ("lifted", 1)
    assert real["mu"] == pytest.approx(20 / 255, abs=1e-4)
    assert real["sigma"] < 0.001 < real["own_sigma"]
    table = (tmp_path / "audit.md").read_text()
    assert table.count("\n| ") == 21 + 2
