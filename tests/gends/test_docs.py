"""The page about reading shows what runs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "reading.md"

pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-thread:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
]


def test_the_snippets_run_one_after_the_other(photos, build_dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build_dataset(photos, tmp_path / "dataset", resolution=128, min_side=16, limit=3)
    for other in ("gopro", "reside", "more"):
        shutil.copytree("dataset", other)
    snippets = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(snippets) == 8
    names: dict[str, object] = {}
    for snippet in snippets:
        local = snippet.replace("s3://bucket/more", "more").replace("s3://bucket/", "")
        exec(local.replace("/scratch/gends", "cache"), names)
    assert names["batch"]["lq"].shape[1:] == (3, 128, 128)
    assert names["pair"]["lq"].shape == (128, 128, 3)
