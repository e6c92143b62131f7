from __future__ import annotations

import csv

import numpy as np
import pytest

from gends.models.degradations import DEGRADATIONS
from gends.models.parametric.catalog import OPERATIONS
from gends.pipeline.export.daclip import plain, write_daclip
from gends.pipeline.export.formats import export
from gends.pipeline.export.pair import Pair
from gends.pipeline.export.selection import Selection
from gends.pipeline.export.vocabulary import DACLIP_WORDS
from gends.pipeline.format.decode import decode


def test_every_painted_degradation_has_a_word_of_their_ten():
    published = "motion-blurry hazy jpeg-compressed low-light noisy raindrop rainy shadowed snowy "
    assert DEGRADATIONS.keys() < DACLIP_WORDS.keys() < OPERATIONS.keys()
    assert set(DACLIP_WORDS.values()) <= {*published.split(), "uncompleted"}


def test_a_tree_by_split_and_word(exported, rows):
    out, done = exported("daclip")
    for key, row in rows.items():
        folder = out / row["split"] / DACLIP_WORDS[row["degradation"]]
        assert (folder / "GT" / f"{key}.png").read_bytes() == row["gt_bytes"]
        assert (folder / "LQ" / f"{key}.png").read_bytes() == row["lq_bytes"]
    mute = sum(row["caption"] is None for row in rows.values())
    assert done.notes == (
        "options: distortion: [hazy, low-light, motion-blurry, raindrop, rainy, snowy]",
        f"{mute} pairs have no caption and are in no .csv, only in the tree",
    )


def test_a_file_of_captions_is_separated_by_tabs(exported, rows):
    out, _ = exported("daclip")
    for split in ("train", "test"):
        text = (out / f"daclip_{split}.csv").read_text("utf-8")
        assert text.startswith("filepath\ttitle\n")
        lines = list(csv.DictReader(text.splitlines(), delimiter="\t"))
        captioned = [r for r in rows.values() if r["caption"] and r["split"] == split]
        assert [line["title"] for line in lines] == [
            f"{row['caption']}: {DACLIP_WORDS[row['degradation']]}" for row in captioned
        ]
        assert all(len(line["title"].split(": ")) == 2 for line in lines)
        for line, row in zip(lines, captioned, strict=True):
            with open(line["filepath"], "rb") as file:
                assert file.read() == row["lq_bytes"]


@pytest.mark.parametrize(
    ("caption", "title"),
    [
        ("a sign: stop", "a sign, stop"),
        ("tabs\tand\nlines", "tabs and lines"),
        ("ends in a colon:", "ends in a colon"),
        ("at 12:30", "at 12:30"),
        (" ", ""),
    ],
)
def test_a_caption_splits_once_from_its_word(caption, title):
    assert plain(caption) == title
    assert f"{plain(caption)}: hazy".split(": ") == [title, "hazy"]


def test_what_its_listing_does_not_know_becomes_png_without_loss(build_dataset, photos, tmp_path):
    root = build_dataset(photos, tmp_path / "root", limit=1, image_format="webp").store.root
    export("daclip", root, tmp_path / "out", selection=Selection())
    export("folder", root, tmp_path / "same", selection=Selection())
    stored = {path.stem: path for path in (tmp_path / "same").rglob("lq/*.webp")}
    found = list((tmp_path / "out").rglob("LQ/*"))
    assert len(found) == len(stored) > 0
    for path in found:
        assert path.suffix == ".png"
        pixels = decode(path.read_bytes())
        np.testing.assert_array_equal(pixels, decode(stored[path.stem].read_bytes()))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"degradation": "moire", "steps": "moire"}, "no word for the degradation 'moire'"),
        ({"split": "a/b"}, "names no folder"),
    ],
)
def test_what_the_layout_cannot_hold_is_said(rows, tmp_path, change, said):
    row = next(iter(rows.values())) | change
    pair = Pair(row=row, gt=row["gt_bytes"], lq=row["lq_bytes"])
    with pytest.raises(ValueError, match=said):
        write_daclip([pair], tmp_path, tmp_path)
