"""The bytes of small builds, pinned: a change that is not meant to change pictures changes none.

Two digests of each build: of all that is stored (`PINNED`), which another column of the manifest
changes too, and of the pictures alone (`PICTURES`), which were the same before there were recipes.
A change that is meant to change one writes it down here, and says so in CHANGELOG.md; a test that
fails shows all that it found, ready to be copied. An operation of a new version changes both of
`parametric`; nothing but the model or its sampling changes the pictures of the other builds.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from importlib.resources import as_file
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from gends.models.bundled_photos import PHOTOS

TWO = ("casa-mila.jpg", "tea-gardens.jpg")
COMMON = ["--outside", "--seed", "5", "--shard-size", "6", "--workers", "1"]
BUILDS = {
    "dry": ["--engine", "dry", "--resolution", "64", "--replicas", "2"],
    "parametric": ["--engine", "parametric", "--resolution", "64", "--replicas", "2"],
    "gendeg": ["--engine", "gendeg", "--resolution", "128", "--structure", "model"],
    "photograph": ["--engine", "gendeg", "--resolution", "128", "--structure", "photograph"],
}
LIBRARIES = ("numpy", "opencv-python-headless", "pillow", "torch")
"""What decides, beside the processor, how pictures round."""
PINNED: dict[str, dict[str, str]] = {
    "x86_64 AVX512 AMD EPYC, "
    "numpy 2.4.6, opencv-python-headless 5.0.0.93, pillow 13.0.0, torch 2.15.0": {
        "dry": "fe94270eac3321da3b86d04f766ef79f9b5264c981a0ef1087167b0227eba803",
        "parametric": "2387aa09c5d4f01f9c9f32a8a4cdf967f45707f7791c993c71d65719ce864e2c",
        "gendeg": "4440bac718041fe28281ea639b3c1a5f8a58b881a0f87110f331a096831a90ad",
        "photograph": "86a795e2dd2d5209afe6fb47453bef7c241e361b826488ce90f4d87e393f90fc",
    },
}


PICTURES: dict[str, dict[str, str]] = {
    "x86_64 AVX512 AMD EPYC, "
    "numpy 2.4.6, opencv-python-headless 5.0.0.93, pillow 13.0.0, torch 2.15.0": {
        "dry": "1ceaf59f4a51034ebf7840e553de06d5c7853f651dda1b9a60de69fdefe16e81",
        "parametric": "d6e48a99356569380cd137063c5b06dd6504a4af21e62909a79ef501ceecfd71",
        "gendeg": "cf62950496c67860b16442d38341642d3233eababe742285ad815ae43c52d505",
        "photograph": "52ccb23e848972de5b33edcf24be4f477d436f2c5e98438ad0450448f0fe6fe6",
    },
}
"""Of builds before there were recipes: each degradation was then all that happened to a picture."""


def machine() -> str:
    name = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    capability = torch.backends.cpu.get_cpu_capability()
    processor = f"{platform.machine()} {capability} {name[1] if name else 'unnamed'}"
    return ", ".join([processor, *(f"{name} {version(name)}" for name in LIBRARIES)])


def digest(root: Path) -> str:
    """Of all tars and all rows of the manifests; of no file that tells versions or times."""
    whole = hashlib.sha256()
    for tar in sorted((root / "shards").glob("*.tar")):
        whole.update(tar.read_bytes())
    for manifest in sorted((root / "manifest").glob("*.parquet")):
        whole.update(json.dumps(pq.read_table(manifest).to_pylist(), sort_keys=True).encode())
    return whole.hexdigest()


def digest_of_pictures(root: Path) -> str:
    """Of the keys and of the checksums of their pictures; of nothing else that rows say."""
    files = sorted((root / "manifest").glob("*.parquet"))
    columns = ["key", "gt_blake3", "lq_blake3"]
    rows = pa.concat_tables([pq.read_table(file, columns=columns) for file in files])
    lines = (json.dumps(list(row.values())) + "\n" for row in rows.sort_by("key").to_pylist())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    for name in TWO:
        with as_file(PHOTOS / name) as photograph:
            (folder / name).write_bytes(photograph.read_bytes())
    return folder


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("engine", BUILDS)
def test_a_small_build_has_the_bytes_that_were_written_down(engine, clean, tmp_path):
    pinned = PINNED.get(machine())
    if pinned is None:
        pytest.skip(f"no digests are written down for {machine()}")
    command = [Path(sys.executable).with_name("gends-build"), "run", *BUILDS[engine], *COMMON]
    subprocess.run([*command, "--clean", clean, "--out", tmp_path / "root"], check=True)
    found = digest(tmp_path / "root"), digest_of_pictures(tmp_path / "root")
    assert found == (pinned[engine], PICTURES[machine()][engine]), " ".join(found)
