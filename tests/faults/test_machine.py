"""What a machine does is no fault of a photograph: a build waits or stops, and fails no request."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from witness import published

from gends.models.processor import processor
from gends.pipeline.keeping.counts import count_dataset
from gends.pipeline.keeping.dataset import open_dataset
from gends.pipeline.storage.faults import VARIABLE
from gends.pipeline.storage.opening import open_store

PROGRAM = Path(sys.executable).with_name("gends-build")
SETTINGS = "--engine=dry --resolution=64 --unit-images=2 --shard-size=24 --seed=5 --workers=1"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photos(crops: Callable[[Iterable[str]], Path]) -> Path:
    return crops(f"{index}.png" for index in range(8))


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Files of a build that nothing happened to."""
    root = tmp_path_factory.mktemp("whole") / "root"
    run("run", "--clean", photos, "--out", root, *SETTINGS.split())
    return files(root)


def run(*arguments: object, expect: int = 0, **variables: str) -> str:
    """Run gends-build; returns what it said."""
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    done = subprocess.run(
        [str(PROGRAM), *map(str, arguments)],
        env=environment | variables,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def files(root: Path) -> dict[str, bytes]:
    return dict(published(open_store(root)))


@pytest.mark.timeout(600)
def test_memory_that_is_short_for_a_while_costs_time_and_no_byte(photos, whole, tmp_path):
    faults = []
    for number, fault in enumerate(("decode.3.png:1", "degrade:2", "decode.6.png:2")):
        (tmp_path / f"passes-{number}").mkdir()
        faults.append(f"{fault}:memory:{tmp_path}/passes-{number}")
    root = tmp_path / "root"
    command = ["run", "--clean", photos, "--out", root, *SETTINGS.split()]
    said = run(*command, **{VARIABLE: ";".join(faults)})
    assert "memory is short, which is no fault of a photograph: waiting 2 s" in said
    assert count_dataset(open_dataset(root))["statuses"]["failed"] == 0
    assert files(root) == whole


@pytest.mark.timeout(900)
@pytest.mark.skipif(processor(torch=False)["numpy"] != "avx512", reason="needs a wide processor")
def test_a_disk_that_is_full_stops_and_another_processor_is_asked_about(photos, whole, tmp_path):
    root, passes = tmp_path / "root", tmp_path / "passes"
    passes.mkdir()
    command = ["run", "--clean", photos, "--out", root, *SETTINGS.split()]
    said = run(*command, expect=1, **{VARIABLE: f"degrade:3:ENOSPC:{passes}"})
    assert f"No space left on device: '{passes}'; the same command resumes" in said
    before = files(root)
    assert before.items() <= whole.items()

    other = {"NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL"}
    said = run("run", "--out", root, "--workers", 1, expect=2, **other)
    assert "engine.processor.numpy: the root has 'avx512', this command has 'avx2'" in said
    assert "--mixed-processors goes on with it" in said
    assert files(root) == before
    said = run("run", "--out", root, "--workers", 1, "--mixed-processors", **other)
    assert "since the list was made" not in said
    # This engine rounds nothing that would differ.
    assert files(root) == whole


@pytest.mark.timeout(600)
def test_photographs_that_are_written_to_while_a_build_runs_are_named(photos, tmp_path):
    clean, root, passes = tmp_path / "clean", tmp_path / "root", tmp_path / "passes"
    shutil.copytree(photos, clean)
    passes.mkdir()
    command = ["run", "--clean", clean, "--out", root, *SETTINGS.split()]
    run(*command, expect=1, **{VARIABLE: f"degrade:3:EIO:{passes}"})
    for replaced in clean.iterdir():  # which units were made by then is a matter of time
        os.utime(replaced, ns=(1, 1))
    said = run("run", "--out", root, "--workers", 1)
    assert re.search(r"\d photographs written to since the list was made \(as \d\.png\)", said)
    assert count_dataset(open_dataset(root))["statuses"]["failed"] == 0
