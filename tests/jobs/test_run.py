"""Real builds by the real command, Ray and all, with the weight-free engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
from ray.cluster_utils import Cluster

from gends import PairDataset
from gends.pipeline.dataset import open_dataset
from gends.pipeline.verify import verify

PROGRAM = Path(sys.executable).with_name("gends-build")
SETTINGS = ("--engine", "dry", "--resolution", 64, "--shard-size", 12, "--unit-images", 1)


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [PROGRAM, "run", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def folder(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs as users have them: two of these files are no photographs, one is a copy."""
    folder = tmp_path_factory.mktemp("clean") / "my photos"
    (folder / "sub.dir").mkdir(parents=True)
    for number, path in enumerate(sorted(photos.parent.glob("* *.*"))):
        name = f"sub.dir/ünï cödé {number}.v2{path.suffix}" if number % 2 else path.name
        (folder / name).write_bytes(path.read_bytes())
    first = (photos.parent / "astronaut left.jpg").read_bytes()
    (folder / "copy.jpg").write_bytes(first)
    (folder / "cut short.jpg").write_bytes(first[: len(first) // 2])
    (folder / "words.png").write_text("not a photograph")
    return folder


@pytest.fixture(scope="module")
def built(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A root that one command built, and what the command printed."""
    root = tmp_path_factory.mktemp("built") / "dataset"
    process = start("--clean", folder, "--out", root, "--workers", 1, *SETTINGS)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    return root, out, err


@pytest.mark.slow
def test_a_build_ends_well_and_names_what_failed(built, folder):
    root, out, err = built
    rows = pq.read_table(root / "manifest").to_pylist()
    reasons = {row["source_uri"]: row["reason"] for row in rows if row["status"] == "failed"}
    assert reasons == {
        "cut short.jpg": "undecodable",
        "words.png": "undecodable",
        "copy.jpg": "duplicate",
    }
    for uri, reason in reasons.items():
        assert f"{uri}: {reason}" in out
    assert f"{len(rows)} requests" in out
    first, *lines = err.splitlines()
    assert first == "starting Ray and the engine"
    assert lines[-1].startswith(f"{len(rows)}/{len(rows)} pairs (100%)")
    assert not [line for line in lines if "pairs" not in line], "Ray is noisy"
    dataset = open_dataset(root)
    assert all(not problems for _, problems in verify(dataset, deep=True))
    assert len(PairDataset(root)) == sum(row["status"] == "accepted" for row in rows)
    assert not list((root / "work").iterdir())


@pytest.mark.slow
def test_a_finished_dataset_says_so(built, folder, cli):
    root, _, _ = built
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.name != ".lock"}
    same = ("run", "--clean", folder, "--out", root, *SETTINGS)
    for arguments in (same, ("run", "--out", root)):
        ended = cli(*arguments)
        assert ended.code == 0
        assert "is finished, nothing to do" in ended.out
    facts = json.loads(cli("run", "--out", root, "--json").out)
    assert facts["finished"]
    assert facts["made_now"] == 0
    assert facts["statuses"]["failed"] == 18
    assert before == {
        path: path.stat().st_mtime_ns for path in root.rglob("*") if path.name != ".lock"
    }


@pytest.mark.slow
def test_other_settings_are_refused(built, folder, cli):
    root, _, _ = built
    ended = cli("run", "--clean", folder, "--out", root, *SETTINGS, "--seed", 1, "--steps", 3)
    assert ended.code == 2
    assert "config.seed: the root has 0, this command has 1" in ended.err
    assert "config.generator.steps: the root has None, this command has 3" in ended.err
    assert "catalog" not in ended.err


@pytest.mark.slow
def test_a_second_build_of_one_root_is_refused(built, cli):
    root, _, _ = built
    with open_dataset(root).store.lock():
        ended = cli("run", "--out", root)
    assert ended.code == 2
    assert f"{root}: another gends-build is writing here" in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--clean", "photos", "--degradations", "rian"], ["'rian'", "'rain'"]),
        (["--clean", "empty"], ["no photographs found"]),
        (["--clean", "nowhere"], ["nowhere: no such file"]),
        (["--clean", "photos", "--model", "nope"], ["'nope'", "gendeg-mini"]),
        (["--clean", "photos", "--replicas", "0"], ["replicas", "0"]),
        (["typo.yaml", "--clean", "photos"], ["typo.yaml", "'replica'", "'replicas'"]),
        (["--clean", "photos", "--out", "photos/made"], ["lies inside --clean"]),
        ([], ["--clean FOLDER"]),
    ],
    ids=" ".join,
)
def test_bad_input_exits_2_and_makes_nothing(cli, folder, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").symlink_to(folder)
    (tmp_path / "empty").mkdir()
    (tmp_path / "typo.yaml").write_text("replica: 3\n")
    ended = cli("run", "--out", "made", *arguments)
    assert ended.code == 2
    assert all(word in ended.err for word in words), ended.err
    assert not (tmp_path / "made").exists()
    assert not (folder / "made").exists()


@pytest.mark.slow
def test_an_interrupted_build_leaves_nothing_running_and_resumes(photos, tmp_path):
    root = tmp_path / "root"
    arguments = ("--clean", photos, "--out", root, *SETTINGS, "--replicas", 80, "--workers", 1)
    # A terminal sends Ctrl-C to everything in the foreground; a scheduler its signal to one.
    for number, send in ((signal.SIGINT, os.killpg), (signal.SIGTERM, os.kill)):
        before = set(root.glob("work/*/[!.]*"))
        process = start(*arguments, "--json")
        while len(list(root.glob("work/*/[!.]*"))) <= len(before):
            assert process.poll() is None
            time.sleep(0.01)
        started = psutil.Process(process.pid).children(recursive=True)
        send(process.pid, number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert err.strip() == "interrupted; the same command resumes"
        _, alive = psutil.wait_procs(started, timeout=20)
        assert not alive
        first = json.loads(out.splitlines()[0])
        dataset = open_dataset(root)
        durable = sum(
            dataset.plan.count_requests(int(unit.parent.name), int(unit.stem)) for unit in before
        )
        assert first["resumed"] == durable
    assert durable > 0


@pytest.mark.slow
def test_a_root_that_cannot_be_written_exits_1(photos, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "work").symlink_to(tmp_path / "not mounted" / "disk")
    process = start("--clean", photos, "--out", root, "--workers", 1, *SETTINGS)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 1
    assert err.splitlines()[-1].startswith(f"gends-build: {root} cannot be written: ")


@pytest.mark.slow
def test_joins_a_cluster_and_refuses_what_does_not_fit(photos, tmp_path):
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 3})
    try:
        settings = ("--clean", photos, *SETTINGS, "--json", "--address", cluster.address)
        fits = start("--out", tmp_path / "fits", *settings)
        out, err = fits.communicate(timeout=200)
        assert fits.returncode == 0, err
        assert json.loads(out.splitlines()[-1])["finished"]
        full = start("--out", tmp_path / "full", *settings, "--workers", 3)
        _, err = full.communicate(timeout=200)
        assert full.returncode == 2
        assert "3 workers of 1 CPUs do not fit into 3 CPUs" in err
    finally:
        cluster.shutdown()
