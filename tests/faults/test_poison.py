"""Input that kills or hangs what works on it fails alone; the rest of its unit lives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from gends.pipeline.keeping.counts import count_dataset
from gends.pipeline.keeping.dataset import open_dataset
from gends.pipeline.reading.reader import read_manifest
from gends.pipeline.storage.faults import VARIABLE

PROGRAM = Path(sys.executable).with_name("gends-build")
SETTINGS = "--engine dry --resolution 64 --unit-images 4 --shard-size 24 --seed 5 --workers 1"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photos(crops: Callable[[Iterable[str]], Path]) -> Path:
    return crops(f"{index}.png" for index in range(8))


def run(*arguments: object, faults: str = "", expect: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    if faults:
        environment[VARIABLE] = faults
    command = [str(PROGRAM), *map(str, arguments)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done


def reasons(root: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in read_manifest(root, status="failed").to_pylist():
        found.setdefault(row["reason"], []).append(f"{row['source_uri']} {row['degradation']}")
    return {reason: sorted(places) for reason, places in found.items()}


def rows_of(root: Path) -> dict[str, dict[str, object]]:
    """Rows by key, less what follows from the bytes before them in the tar."""
    ranges = {f"{part}_{what}" for part in ("gt", "lq") for what in ("offset", "size")}
    rows = read_manifest(root, status=None).to_pylist()
    return {row["key"]: {n: v for n, v in row.items() if n not in ranges} for row in rows}


@pytest.mark.timeout(600)
def test_poison_fails_alone_and_is_made_when_its_cause_is_gone(
    photos: Path, tmp_path: Path
) -> None:
    whole, root = tmp_path / "whole", tmp_path / "root"
    run("run", "--clean", photos, "--out", whole, *SETTINGS.split())
    keys = sorted(rows_of(whole))
    (lethal,) = [key for key in keys if key.startswith("6_") and "-snow-" in key]
    faults = []
    for number, fault in enumerate(("decode.1.png", "decode.2.png", f"degrade.{lethal}")):
        (tmp_path / f"passes-{number}").mkdir()
        action = "hold" if fault == "decode.2.png" else "segv"
        faults.append(f"{fault}:every:{action}:{tmp_path}/passes-{number}")

    command = ["run", "--clean", photos, "--out", root, *SETTINGS.split(), "--unit-timeout", 15]
    done = run(*command, "--json", faults=";".join(faults))

    kinds = ("haze", "low_light", "motion_blur", "rain", "raindrop", "snow")
    assert reasons(root) == {
        "decoder_died": [f"1.png {kind}" for kind in kinds],
        "decoder_hung": [f"2.png {kind}" for kind in kinds],
        "engine_died": ["6.png snow"],
    }
    # As often as promised and no more: three tries of the whole unit, then three alone.
    assert len(list((tmp_path / "passes-0").glob("pass-*"))) <= 6
    assert len(list((tmp_path / "passes-2").glob("pass-*"))) <= 6
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[-1]["statuses"]["failed"] == 13
    before, unharmed = rows_of(root), rows_of(whole)
    assert all(before[k] == unharmed[k] for k in before if before[k]["status"] != "failed")

    # The cause is gone.
    again = run("retry", root, "--workers", 1, "--json")
    assert json.loads(again.stdout.splitlines()[-1])["made_now"] == 13
    assert rows_of(root) == unharmed
    for name in ("shards", "manifest"):
        made, wanted = (sorted((r / name).iterdir()) for r in (root, whole))
        assert [p.read_bytes() for p in made] == [p.read_bytes() for p in wanted]
    assert count_dataset(open_dataset(root))["finished"]
    assert "nothing failed" in run("retry", root).stdout


@pytest.mark.long
def test_photographs_that_go_away_stop_the_build_and_fail_nothing(
    photos: Path, tmp_path: Path
) -> None:
    clean, root = tmp_path / "clean", tmp_path / "root"
    clean.mkdir()
    for path in photos.iterdir():
        (clean / path.name).write_bytes(path.read_bytes())
    (tmp_path / "passes").mkdir()
    fault = f"decode.6.png:1:hold:{tmp_path}/passes"
    command = [str(PROGRAM), "run", "--clean", clean, "--out", root, *SETTINGS.split()]
    with subprocess.Popen(
        list(map(str, command)),
        env=os.environ | {VARIABLE: fault},
        stderr=subprocess.PIPE,
        text=True,
    ) as build:
        while not (tmp_path / "passes" / "reached").exists():
            assert build.poll() is None
        clean.rename(tmp_path / "elsewhere")
        (tmp_path / "passes" / "go").touch()
        assert build.wait(timeout=120) == 1
        assert build.stderr is not None
        assert "is not there any more" in build.stderr.read()
    assert "is not there" in run("run", "--out", root, expect=2).stderr
    (tmp_path / "elsewhere").rename(clean)
    run("run", "--out", root, "--workers", 1)
    assert count_dataset(open_dataset(root))["statuses"]["failed"] == 0
