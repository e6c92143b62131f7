"""Real builds by the real command, Ray and all, with the weight-free engine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
from growing import files_in
from ray.cluster_utils import Cluster

from gends import PairDataset
from gends.jobs.commands import demo
from gends.models.bundled_photos import PHOTOS
from gends.pipeline.keeping.counts import count_dataset
from gends.pipeline.keeping.dataset import open_dataset
from gends.pipeline.keeping.lease import hold
from gends.pipeline.keeping.verify import verify
from gends.pipeline.storage.opening import open_store

PROGRAM = Path(sys.executable).with_name("gends-build")
SLOW = ("starting ", "loading ", "reading ")
"""How lines begin that tell of what takes long."""
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
    out, err = process.communicate(timeout=280)
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
    lines = [line for line in err.splitlines() if " so far)" not in line]
    assert "starting Ray and the engine" in lines[:2]  # on a busy machine, photographs come first
    lines = [line for line in lines if not line.startswith(SLOW)]
    assert lines[-1].startswith(f"{len(rows)}/{len(rows)} pairs (100%)")
    assert not [line for line in lines if "pairs" not in line], "Ray is noisy"
    dataset = open_dataset(root)
    assert all(not problems for _, problems in verify(dataset, deep=True))
    assert len(PairDataset(root)) == sum(row["status"] == "accepted" for row in rows)
    assert not list((root / "work").iterdir())


@pytest.mark.slow
def test_a_finished_dataset_says_so(built, folder, cli):
    root, _, _ = built
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    same = ("run", "--clean", folder, "--out", root, *SETTINGS)
    for arguments in (same, ("run", "--out", root)):
        ended = cli(*arguments)
        assert ended.code == 0
        assert "is finished, nothing to do" in ended.out
    facts = json.loads(cli("run", "--out", root, "--json").out)
    assert facts["finished"]
    assert facts["made_now"] == 0
    assert facts["statuses"]["failed"] == 18
    assert before == {path: path.stat().st_mtime_ns for path in root.rglob("*")}


@pytest.mark.slow
def test_other_settings_are_refused(built, folder, cli):
    root, _, _ = built
    ended = cli("run", "--clean", folder, "--out", root, *SETTINGS, "--seed", 1, "--steps", 3)
    assert ended.code == 2
    assert "config.seed: the root has 0, this command has 1" in ended.err
    assert "config.generator.steps: the root has None, this command has 3" in ended.err
    assert "catalog" not in ended.err


def test_a_build_of_which_nothing_is_accepted_is_no_success(tmp_path, cli):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"no photograph")
    command = ("run", "--clean", tmp_path / "in", "--out", tmp_path / "out", "--engine", "dry")
    for first in ("finished in", "is finished, nothing to do"):
        ended = cli(*command)
        assert ended.code == 1
        assert first in ended.out
        assert "; no pair was accepted" in ended.out
        assert "a.png: undecodable: not an image of a known format" in ended.out


def test_a_second_build_of_one_root_is_refused(photos, found_dataset, tmp_path, cli):
    root = tmp_path / "root"
    with hold(found_dataset(photos, root).store):
        ended = cli("run", "--out", root)
    assert ended.code == 2
    assert f"{root}: another gends-build is writing here" in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--clean", "photos", "--degradations", "rian"], ["'rian'", "'rain'"]),
        (["--clean", "empty"], ["empty: no photographs found"]),
        (["--clean", "photos", "--profile", "nope"], ["profile", "nope: No such", "'reference'"]),
        (["--clean", "photos", "--profile", "list"], ["profile", "list: Is a directory"]),
        (["--clean", "photos", "--out", "typo.yaml"], ["'--out'", "typo.yaml is no folder"]),
        (["--clean", "photos", "--out", "typo.yaml/x"], ["'--out'", "typo.yaml is no folder"]),
        (["--clean", "nowhere"], ["nowhere: no such file"]),
        (["--clean", "list/out.txt"], ["none of the 1 photographs", "../a.png", "--outside"]),
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
    (tmp_path / "list").mkdir()
    (tmp_path / "list" / "out.txt").write_text("../a.png\n")
    (tmp_path / "typo.yaml").write_text("replica: 3\n")
    ended = cli("run", "--out", "made", *arguments)
    assert ended.code == 2
    assert all(word in ended.err for word in words), ended.err
    assert not (tmp_path / "made").exists()
    assert not (folder / "made").exists()


def count_made(root: Path) -> int:
    """Units that are durable or sealed; each shard has one."""
    return len(files_in(root / "work", root / "manifest"))


@pytest.mark.slow
@pytest.mark.long
def test_an_interrupted_build_leaves_nothing_running_and_resumes(photos, tmp_path):
    root = tmp_path / "root"
    arguments = ("--clean", photos, "--out", root, *SETTINGS, "--replicas", 160, "--workers", 1)
    # A terminal sends Ctrl-C to everything in the foreground; a scheduler its signal to one.
    endings = [
        (signal.SIGINT, os.killpg, 130, "interrupted; the same command resumes"),
        (signal.SIGTERM, os.kill, 75, "gends-build: stopped as asked, with "),
    ]
    made = 0
    for number, send, code, words in endings:
        process = start(*arguments, "--json")
        begun = count_made(root)
        while count_made(root) <= begun:
            assert process.poll() is None
            time.sleep(0.01)
        started = psutil.Process(process.pid).children(recursive=True)
        send(process.pid, number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code
        assert err.strip().splitlines()[-1].startswith(words)
        _, alive = psutil.wait_procs(started, timeout=20)
        assert not alive
        told = [json.loads(line) for line in out.splitlines()]
        assert next(f for f in told if f["event"] == "progress")["resumed"] == made
        facts = count_dataset(open_dataset(root))
        made = facts["in_shards"] + facts["in_durable_units"]
    assert made > 0
    assert not facts["finished"]


@pytest.mark.slow
def test_a_root_that_cannot_be_written_exits_1(photos, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "work").symlink_to(tmp_path / "not mounted" / "disk")
    process = start("--clean", photos, "--out", root, "--workers", 1, *SETTINGS)
    _, err = process.communicate(timeout=280)
    assert process.returncode == 1
    assert err.splitlines()[-1].startswith("gends-build: storage failed: ")
    assert str(root) in err.splitlines()[-1]


def test_a_dataset_without_its_identity_is_not_founded_again(photos, tmp_path, cli):
    (tmp_path / "root" / "shards").mkdir(parents=True)
    (tmp_path / "root" / "shards" / "000000.tar").write_bytes(b"precious")
    ended = cli("run", "--clean", photos, "--out", tmp_path / "root", *SETTINGS)
    assert ended.code == 2
    assert "holds '000000.tar', but the root has no dataset.json" in ended.err
    assert "starting Ray" not in ended.err
    assert (tmp_path / "root" / "shards" / "000000.tar").read_bytes() == b"precious"


@pytest.mark.slow
def test_a_bucket_holds_the_same_bytes_as_a_folder(built, folder, bucket, cli):
    root, _, _ = built
    process = start("--clean", folder, "--out", bucket, "--workers", 2, *SETTINGS)
    _, err = process.communicate(timeout=280)
    assert process.returncode == 0, err
    store, here = open_store(bucket), open_store(root)
    for name in ("shards", "manifest"):
        assert store.names(name) == here.names(name) != []
        for file in store.names(name):
            assert store.read(f"{name}/{file}") == here.read(f"{name}/{file}")
    for command in ("status", "verify"):
        ended = cli(command, bucket)
        assert ended.code == 0, ended
    assert [item["key"] for item in PairDataset(bucket)] == [i["key"] for i in PairDataset(root)]


@pytest.mark.slow
def test_damaged_shards_are_made_again_to_the_same_bytes(built, tmp_path, cli):
    root, _, _ = built
    damaged = tmp_path / "damaged"
    shutil.copytree(root, damaged)
    tars = sorted((damaged / "shards").iterdir())
    data = bytearray(tars[0].read_bytes())
    data[len(data) // 2] ^= 1
    tars[0].write_bytes(data)
    one, two = (damaged / "manifest" / f"00000{shard}.parquet" for shard in (1, 2))
    swapped = one.read_bytes(), two.read_bytes()
    two.write_bytes(swapped[0])
    one.write_bytes(swapped[1])
    untouched = [path.stat().st_mtime_ns for path in tars[3:]]
    assert untouched

    done = subprocess.run(
        [PROGRAM, "repair", damaged, "--workers", "1"],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "000000.tar: checksum differs" in done.stdout
    for line in (
        "000000.tar: made again, to the same bytes",
        "000001.tar: made again; its old checksum was lost",
        "000002.tar: made again; its old checksum was lost",
    ):
        assert line in done.stderr
    for name in ("shards", "manifest"):
        for path in (root / name).iterdir():
            assert (damaged / name / path.name).read_bytes() == path.read_bytes()
    assert untouched == [path.stat().st_mtime_ns for path in tars[3:]]
    ended = cli("repair", damaged)
    assert (ended.code, "no damaged shard" in ended.out) == (0, True)
    (damaged / "manifest" / "000099.parquet").write_bytes(b"who?")
    ended = cli("repair", damaged)
    assert ended.code == 1
    assert "no damaged shard" in ended.out
    assert "000099" in ended.out


@pytest.mark.slow
def test_demo(tmp_path, cli, monkeypatch):
    """With three of its ten photographs: the bundled model, Ray, and everything after them."""
    photos = sorted(path for path in PHOTOS.iterdir() if path.suffix == ".jpg")
    assert len(photos) == 10
    (tmp_path / "photos").mkdir()
    for path in photos[:3]:
        shutil.copy(path, tmp_path / "photos")
    monkeypatch.setattr(demo, "PHOTOS", tmp_path / "photos")
    ended = cli("demo", "--out", tmp_path / "demo")
    assert ended.code == 0, ended
    assert "verified: no problems" in ended.out
    rows = pq.read_table(tmp_path / "demo" / "manifest")
    assert rows.num_rows == 18
    assert len(PairDataset(tmp_path / "demo")) >= 12
    assert (tmp_path / "demo" / "sheet.png").exists()


@pytest.mark.slow
def test_joins_a_cluster_and_refuses_what_does_not_fit(photos, tmp_path):
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 3})
    try:
        settings = ("--clean", photos, *SETTINGS, "--json", "--address", cluster.address)
        fits = start("--out", tmp_path / "fits", *settings)
        out, err = fits.communicate(timeout=280)
        assert fits.returncode == 0, err
        assert json.loads(out.splitlines()[-1])["finished"]
        full = start("--out", tmp_path / "full", *settings, "--workers", 3)
        _, err = full.communicate(timeout=280)
        assert full.returncode == 2
        assert "3 workers of 1 CPUs do not fit into 3 CPUs" in err
    finally:
        cluster.shutdown()
