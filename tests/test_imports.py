"""Imports run one way, stay light, and never go through the bare folder names."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BARE = ("pipeline", "models", "histograms", "jobs")


def loaded_by(code: str) -> set[str]:
    """Modules in memory after running `code` in a process of its own."""
    program = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


def test_the_tests_import_no_bare_folder():
    assert not [name for name in BARE if name in sys.modules]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Our modules where an installation puts them; import-linter follows no editable one."""
    for name in ("gends", *BARE):
        target = tmp_path / "gends" / (name if name in BARE else "")
        for path in (ROOT / name).rglob("*.py"):
            copy = target / path.relative_to(ROOT / name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    return tmp_path


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--config", ROOT / "setup.cfg", "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_imports_run_one_way(installed):
    found = lint(installed)
    assert found.returncode == 0, found.stdout
    assert " 0 broken" in found.stdout
    assert int(re.search(r"Analyzed (\d+) files", found.stdout)[1]) > 100


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("models/dry.py", "import gends.pipeline.planning.plan"),
        ("models/dry.py", "import gends.histograms.severity"),
        ("pipeline/planning/plan.py", "import gends.jobs.options.config"),
        ("pipeline/planning/plan.py", "import click"),
        ("histograms/fit.py", "import transformers"),
        # Rooms: back up, and what only builds need.
        ("pipeline/storage/store.py", "import gends.pipeline.format.png"),
        ("pipeline/reading/reader.py", "import gends.pipeline.keeping.commit"),
        ("reading/rows.py", "import gends.reading.loader"),
        ("reading/rows.py", "import gends.pipeline.planning.config"),
        ("jobs/cluster/connect.py", "import gends.jobs.building.build"),
    ],
)
def test_the_contracts_notice(installed, module, line):
    with open(installed / "gends" / module, "a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    found = lint(installed)
    assert found.returncode == 1
    assert line.split()[1] in found.stdout


@pytest.mark.parametrize(
    ("what", "absent"),
    [
        ("import gends", {"torch", "ray", "click", "numpy"}),
        ("from gends import PairDataset", {"torch", "ray", "diffusers", "click", "matplotlib"}),
        ("from gends import PairStream", {"ray", "diffusers", "transformers", "click"}),
        ("import gends.histograms.profile, gends.histograms.fit", {"torch", "matplotlib", "cv2"}),
        # What the processes that decode, judge, encode and seal load:
        ("import gends.jobs.building.stages", {"torch", "diffusers", "matplotlib", "pyiqa"}),
        ("import gends.models.parametric.engine", {"torch", "diffusers", "ray"}),
        (
            "import gends.jobs.building.build, gends.jobs.commands.run, gends.jobs.commands.demo",
            {"torch", "diffusers"},
        ),
        (
            "import gends.jobs.commands.plan, gends.jobs.commands.status",
            {"torch", "ray"},
        ),
    ],
)
def test_parts_stay_light(what, absent):
    loaded = loaded_by(what)
    assert "gends" in loaded
    assert not loaded & absent
