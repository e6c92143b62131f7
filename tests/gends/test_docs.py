"""The pages about reading and trainers, and the package itself, show what runs."""

from __future__ import annotations

import doctest
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import gends
from gends.models.parametric.catalog import OPERATIONS
from gends.pipeline.format.manifest import PARTS, SCHEMA
from gends.pipeline.planning.config import BuildConfig

DOCS = Path(__file__).parents[2] / "docs"
PAGE, TRAINERS = DOCS / "reading.md", DOCS / "trainers.md"
FORMAT = DOCS / "dataset-format.md"

pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-thread:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
]


def test_labels_of_masks_are_those_of_the_operations():
    found = re.findall(r"(?<=\| )(\d+) \| (\w+) (?=\|)", FORMAT.read_text(encoding="utf-8"))
    assert {name: int(label) for label, name in found} == {
        operation.name: operation.label for operation in OPERATIONS.values()
    }


def test_every_column_and_member_is_in_the_format():
    text = FORMAT.read_text(encoding="utf-8")
    for column in SCHEMA.names:
        part, _, what = column.rpartition("_")
        if what in ("offset", "size", "blake3") and part in PARTS:
            continue  # told of all parts at once
        assert re.search(rf"^\|.*\b{column}\b.*\|", text, re.MULTILINE), column
    for part in PARTS:
        assert f"`<key>.{part}.png`" in text


def test_the_snippets_run_one_after_the_other(photos, build_dataset, mixed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build_dataset(photos, tmp_path / "dataset", resolution=128, min_side=16, limit=3)
    shutil.copytree(mixed.store.root, "masked")
    for other in ("gopro", "reside", "more"):
        shutil.copytree("dataset", other)
    snippets = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(snippets) == 9
    names: dict[str, object] = {}
    for snippet in snippets:
        local = snippet.replace("s3://bucket/more", "more").replace("s3://bucket/", "")
        exec(local.replace("/scratch/gends", "cache"), names)
    assert names["batch"]["lq"].shape[1:] == (3, 128, 128)
    assert names["masked"][0]["ground"].shape == (224, 224, 3)
    assert names["pair"]["lq"].shape == (128, 128, 3)


def test_the_snippet_for_promptir_runs(photos, build_dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build_dataset(photos, tmp_path / "dataset", resolution=64, min_side=16, limit=3)
    (snippet,) = re.findall(r"```python\n(.*?)```", TRAINERS.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {"opt": SimpleNamespace(patch_size=32)}
    exec(snippet.replace("/data/", ""), names)
    (name, de_id), lq, gt = names["trainset"][0]
    assert isinstance(name, str)
    assert 3 <= de_id <= 8
    assert lq.shape == gt.shape == (3, 32, 32)


def test_the_example_of_the_package_prints_what_it_says(
    photos, build_dataset, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    build_dataset(photos, tmp_path / "dataset", resolution=64, min_side=16, limit=3)
    assert doctest.testmod(gends) == (0, 5)


def test_the_page_about_recipes_shows_what_runs():
    text = (DOCS / "recipes.md").read_text(encoding="utf-8")
    snippets = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(snippets) == 2
    for snippet in snippets:
        exec(snippet, {})
    (settings,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert len(BuildConfig.model_validate(yaml.safe_load(settings)).mixtures) == 2
