from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from gends.pipeline.evaluation.plots import FORMATS, plot


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


def test_every_dataset_has_plots_of_its_own_and_none_is_hidden(summary, tmp_path):
    chosen = pc.and_(pc.equal(summary["metric"], "psnr"), pc.is_valid(summary["mu_low"]))
    bins = summary.filter(chosen)
    names = ["x y", "x-y", "X y", ".dot"]
    paths = plot(pa.concat_tables([called(bins.slice(0, 2), name) for name in names]), tmp_path)
    stems = ["x-y-psnr", "x-y-psnr-2", "X-y-psnr-3", "dot-psnr"]
    assert [path.name for path in paths] == [f"{s}.{kind}" for s in stems for kind in FORMATS]
    assert len({path.read_bytes() for path in paths}) == len(paths) == len(list(tmp_path.iterdir()))


def called(rows, name):
    place = rows.schema.get_field_index("data")
    return rows.set_column(place, rows.schema.field(place), pa.array([name] * len(rows)))


def test_without_bins_there_is_nothing_to_plot(summary, tmp_path):
    assert plot(summary.slice(0, 3), tmp_path) == []
