from __future__ import annotations

import numpy as np
import pyarrow.compute as pc
from PIL import Image

from gends.pipeline.evaluation.plots import plot


def test_one_plot_per_metric_as_png_and_svg_the_same_every_time(summary, tmp_path):
    summary = summary.filter(pc.equal(summary["metric"], "psnr"))
    paths = plot(summary, tmp_path / "one")
    assert [path.name for path in paths] == ["a_set-psnr.png", "a_set-psnr.svg"]
    for path, again in zip(paths, plot(summary, tmp_path / "two"), strict=True):
        assert path.read_bytes() == again.read_bytes()
    picture = np.asarray(Image.open(paths[0]).convert("RGB"))
    for colour in ("#9aa5b1", "#4c78a8"):
        wanted = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
        assert (picture == wanted).all(axis=-1).sum() > 50  # degraded and restored are drawn


def test_without_bins_there_is_nothing_to_plot(summary, tmp_path):
    assert plot(summary.slice(0, 3), tmp_path) == []
