"""The wheel holds everything, and installs nothing beside `gends`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {
    "gends": "gends",
    "pipeline": "gends/pipeline",
    "models": "gends/models",
    "histograms": "gends/histograms",
    "jobs": "gends/jobs",
}
"""Folder of the repository → where its files are once installed."""
DATA = (
    "gends/py.typed",
    "histograms/data/*",
    "models/parametric/levels.json",
    "models/photos/*",
    "models/weights/**/*",
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy, since a build leaves folders behind."""
    source = tmp_path_factory.mktemp("source")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    out = tmp_path_factory.mktemp("wheel")
    build = ["-m", "build", "--wheel", "--no-isolation", "--outdir", out, source]
    subprocess.run([sys.executable, *map(str, build)], check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


def installed_name(path: Path) -> str:
    folder, *rest = path.relative_to(ROOT).parts
    return "/".join([FOLDERS[folder], *rest])


def test_holds_every_module_and_every_data_file(wheel):
    modules = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    data = [path for pattern in DATA for path in ROOT.glob(pattern) if path.is_file()]
    assert len(modules) > 80
    assert {path.suffix for path in data} >= {".json", ".jpg", ".safetensors", ".typed"}
    expected = {installed_name(path) for path in modules + data}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert sorted(packed) == sorted(expected)


def test_installs_nothing_but_gends(wheel, tmp_path):
    install = ["-m", "pip", "install", "--no-deps", "--no-index", "--target", tmp_path, wheel]
    subprocess.run([sys.executable, *map(str, install)], check=True, capture_output=True)
    names = {path.name for path in tmp_path.iterdir() if path.name != "bin"}
    (information,) = (name for name in names if name.endswith(".dist-info"))
    assert names == {"gends", information}
    assert (tmp_path / "bin" / "gends-build").exists()
    code = "import gends.jobs.cli, gends.pipeline.planning.plan; print(gends.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)
