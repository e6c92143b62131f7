from __future__ import annotations

import numpy as np
import pytest

from gends.pipeline.reading.reader import read_manifest
from gends.pipeline.reading.sheet import contact_sheet
from gends.reading.dataset import PairDataset


def test_a_sheet_shows_every_degradation_and_is_repeatable(finished):
    root = finished.store.root
    sheet = contact_sheet(root, rows=2, side=64)
    again = contact_sheet(root, rows=2, side=64)
    assert np.array_equal(np.asarray(sheet), np.asarray(again))
    # Six degradations in two columns of three blocks, each with two lines of three pictures.
    width, height = sheet.size
    assert width > 2 * 3 * 64
    assert height > 3 * 2 * 64
    assert np.asarray(sheet).std() > 20


def test_a_sheet_of_one_degradation_shows_the_stored_pixels(finished):
    root = finished.store.root
    sheet = np.asarray(contact_sheet(root, degradations=["snow"], rows=1, side=64))
    stored = [item["lq"] for item in PairDataset(root, degradations=["snow"])]
    left = 6 + 64 + 6
    top = next(y for y in range(sheet.shape[0]) if (sheet[y, left : left + 64] != 255).all())
    shown = sheet[top : top + 64, left : left + 64]
    assert any(np.array_equal(shown, image) for image in stored)


def test_more_rows_than_pairs(finished):
    table = read_manifest(finished.store.root).to_pylist()
    few = min({r["degradation"] for r in table}, key=[r["degradation"] for r in table].count)
    sheet = contact_sheet(finished.store.root, degradations=[few], rows=50, side=32)
    assert sheet.size[1] < 50 * 32


def test_what_cannot_be_drawn_is_said(finished, build_dataset, tmp_path):
    with pytest.raises(ValueError, match="no accepted pair of fog; there are"):
        contact_sheet(finished.store.root, degradations=["fog"])
    (tmp_path / "a.png").write_text("no photograph")
    (tmp_path / "list.txt").write_text("a.png\n")
    dataset = build_dataset(tmp_path / "list.txt", tmp_path / "root")
    with pytest.raises(ValueError, match="no pair was accepted, so there is nothing to draw"):
        contact_sheet(dataset.store.root)
