from __future__ import annotations

import numpy as np
import pytest

from gends.models.parametric.catalog import OPERATIONS
from gends.models.regions import RegionMap
from gends.pipeline.format.recipe import Recipe
from gends.pipeline.reading.beside import read_members
from gends.pipeline.reading.label_colours import colour_of, name_of
from gends.pipeline.reading.reader import ShardReader, read_manifest
from gends.pipeline.reading.recipe_text import recipe_text
from gends.pipeline.reading.sheet import contact_sheet
from gends.pipeline.reading.sheet_page import Block, Entry, draw
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


def test_recipes_masks_and_grounds_stand_beside_pairs(mixed):
    sheet = np.asarray(contact_sheet(mixed.store.root, rows=1, side=64))
    # Six pictures to a pair, and two labels to a line.
    assert sheet.shape[1] == 2 * (6 + 6 * (64 + 6))
    table = read_manifest(mixed.store.root)
    reader = ShardReader(mixed.store.root)
    labels = {
        int(label)
        for row in table.to_pylist()
        for label in np.unique(read_members(reader, row)["mask"])
    }
    shown = {tuple(colour) for colour in np.unique(sheet.reshape(-1, 3), axis=0).tolist()}
    assert {colour_of(label) for label in labels - {0, 255}} & shown
    without = np.asarray(contact_sheet(mixed.store.root, degradations=["weather"], rows=1, side=64))
    assert without.shape[1] == 6 + 6 * (64 + 6)


@pytest.mark.parametrize("size", [(80, 60), (60, 80), (300, 40), (64, 64)])
def test_pictures_keep_their_proportions(size):
    width, height = size
    entry = Entry(pictures={"gt": np.zeros((height, width, 3), np.uint8)}, texts=())
    page = np.asarray(draw([Block(title="", entries=[entry])], 96, []))
    black = np.argwhere((page == 0).all(axis=2))
    shown = black.max(axis=0) - black.min(axis=0) + 1
    scale = 96 / max(size)
    assert shown.tolist() == [round(height * scale), round(width * scale)]
    assert len(black) == shown.prod()
    assert page.shape[0] - shown[0] < 50


def test_every_label_has_a_colour_of_its_own():
    labels = [0, 255, *(operation.label for operation in OPERATIONS.values())]
    colours = np.array([colour_of(label) for label in labels])
    apart = np.abs(colours[:, None] - colours[None]).sum(axis=2)
    assert apart[~np.eye(len(labels), dtype=bool)].min() > 40
    assert [name_of(label) for label in (0, 255, 1, 200)] == [
        *("untouched", "border", "haze", "label 200")
    ]


STEP = {"engine": "parametric", "seed": 1, "version": 1}
PAINTED = {"op": "haze", "engine": "gendeg", "seed": 1, "mu_target": 0.123, "sigma_target": 0.1}


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ([("rain", 0.41234, None), ("noise", 0.25, None)], "rain 0.41 > noise sigma "),
        ([("rain", 0.5, 0), ("snow", 0.25, 1)], "rain 0.5 | snow 0.25"),
        ([("rain", 0.5, 1)], "untouched | rain 0.5"),
        ([("gone", 0.5, None)], "gone 0.5"),
    ],
)
def test_a_recipe_in_one_line(steps, text):
    made = [
        {**STEP, "op": op, "parameters": {"strength": strength}}
        | ({} if region is None else {"region": region})
        for op, strength, region in steps
    ]
    regions = None
    if steps[0][2] is not None:
        regions = RegionMap(count=2, shape="voronoi", seed=1)
    assert recipe_text(Recipe(steps=tuple(made), regions=regions)).startswith(text)


def test_a_painted_step_and_none_in_one_line():
    assert recipe_text(Recipe(steps=(PAINTED,))) == "haze mu 0.12"
    assert recipe_text(Recipe(steps=())) == "untouched"


def test_what_does_not_fit_goes_onto_further_lines():
    picture = np.zeros((8, 8, 3), np.uint8)
    heights = []
    for words in (1, 20, 2000):
        entry = Entry(pictures={"gt": picture}, texts=("word " * words,))
        heights.append(draw([Block(title="t", entries=[entry])], 64, []).height)
    assert heights == [heights[0], heights[0] + 2 * 16, heights[0] + 2 * 16]


def test_the_key_goes_onto_further_lines():
    entry = Entry(pictures={"gt": np.zeros((8, 8, 3), np.uint8)}, texts=())
    pages = [draw([Block(title="t", entries=[entry])], 96, list(range(n))) for n in (0, 1, 12)]
    assert pages[0].height < pages[1].height < pages[2].height
