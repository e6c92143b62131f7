from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest
from PIL import Image

from gends.models.parametric import OPERATIONS

GALLERY = Path(__file__).parents[2] / "examples" / "operation_gallery.py"


@pytest.mark.slow
def test_the_gallery_shows_and_tells_every_operation(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [GALLERY.name, "--docs", str(tmp_path)])
    runpy.run_path(str(GALLERY), run_name="__main__")
    text = (tmp_path / "operations.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.M) == list(OPERATIONS)
    shown = re.findall(r"\((images/operations/.*?)\)", text)
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.jpg")} == set(shown)
    rows = 0
    for name in shown:
        assert (tmp_path / name).stat().st_size < 400_000
        with Image.open(tmp_path / name) as sheet:
            rows += round(sheet.height / 280)
            assert sheet.width == 6 + 6 * 262
    assert rows == len(OPERATIONS)
    for operation in OPERATIONS.values():
        assert operation.source in text
        assert all(f"`{name}`" in text for name in operation.settable())
