from __future__ import annotations

import json

import numpy as np

from gends.models.parametric.catalog import OPERATIONS
from gends.pipeline.reading.sheet_row import (
    BORDER,
    coloured,
    fitted,
    labels_in,
    recipe_text,
)


def _row(*steps: dict, **columns: object) -> dict:
    return {"recipe": json.dumps({"steps": steps}), **columns}


def test_a_recipe_is_told_in_a_few_words():
    haze = {"op": "haze", "engine": "parametric", "parameters": {"strength": 0.2}}
    jpeg = {"op": "jpeg", "engine": "parametric", "parameters": {"strength": 66 / 99}}
    rain = {"op": "rain", "engine": "parametric", "parameters": {"strength": 0.413}, "region": 1}
    painted = {"op": "snow", "engine": "gendeg", "region": 1}
    assert recipe_text(_row(haze, jpeg)) == "haze beta 1 > jpeg quality 34"
    assert recipe_text(_row(haze, rain, painted)) == "haze beta 1 | rain 0.41 > snow by gendeg"
    assert recipe_text({"recipe": None}) == ""


def test_labels_are_told_apart_by_their_colours():
    labels = [0, BORDER, *(o.label for o in OPERATIONS.values() if o.label < 16)]
    shown = coloured(np.array([labels], np.uint8))[0]
    assert len({tuple(colour) for colour in shown.tolist()}) == len(labels)
    assert shown[0].tolist() == [0, 0, 0]
    assert shown[1].tolist() == [255, 255, 255]


def test_the_key_names_each_operation_once():
    row = {"steps": "haze+rain|rain+snow"}
    assert labels_in(row) == [(n, OPERATIONS[n].label) for n in ("haze", "rain", "snow")]


def test_pictures_keep_their_shape():
    wide = np.zeros((50, 100, 3), np.uint8)
    shown = np.asarray(fitted(wide, 80))
    assert shown.shape == (80, 80, 3)
    assert (shown[20:60] == 0).all()
    assert (shown[:19] == 255).all()
