"""`gends-build train restorer` as a process that is killed, stopped and gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psutil
import pytest
from metrics_log import await_step

from gends import PairDataset
from gends.jobs.training.restorer.pair_feed import KEYS
from gends.jobs.training.restorer.train import identity_of
from gends.models.restorers.architectures import load
from gends.models.training.checkpoint import Checkpoint, write_checkpoint

PROGRAM = Path(sys.executable).with_name("gends-build")
TINY = ["--arch", "nafnet", "--preset", "tiny", "--batch-size", "6", "--crop", "32"]
FEW = ["--loader-workers", "1", "--threads", "1", "--sample-every", "0", "--report-every", "1"]


@pytest.fixture
def start(finished):
    """(folder, *flags) starts a training whose output is collected; none is left afterwards."""
    running = []

    def run(folder, *flags):
        data = ["--data", str(finished.store.root), "--run", str(folder), "--log-keys"]
        process = subprocess.Popen(
            [PROGRAM, "train", "restorer", *TINY, *FEW, *data, *map(str, flags)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def family(process):
    return psutil.Process(process.pid).children(recursive=True)


def keys(folder, until):
    """Keys that all ranks were given, in the order of the epochs, up to a step."""
    steps = {step: [None] * 6 for step in range(1, until + 1)}
    for path in (folder / KEYS).iterdir():
        for line in map(json.loads, path.read_text().splitlines()):
            if line["step"] <= until:
                steps[line["step"]][line["rank"] :: line["ranks"]] = line["keys"]
    found = [key for given in steps.values() for key in given]
    assert None not in found
    return found


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(600)
def test_killed_and_gone_on_with_by_fewer_it_has_seen_every_pair_once(start, finished, tmp_path):
    folder, steps = tmp_path / "run", 120  # it must not be over before it is killed
    validated = ["--validation-split", "test", "--validation-pairs", 6, "--validate-every", 80]
    flags = ["--steps", steps, *validated]
    killed = start(folder, "--workers", 2, "--checkpoint-every", 4, *flags)
    await_step(killed, folder, 5, patience=250)
    left = [p for p in family(killed) if "RayTrainWorker" in " ".join(p.cmdline())]
    assert len(left) == 4  # two ranks, each with a loader worker
    killed.kill()
    killed.wait()
    done = start(folder, "--workers", 1, *flags)
    out, err = done.communicate(timeout=300)
    assert done.returncode == 0, err
    assert out == f"{folder / 'result'}\n"
    assert f"step {steps} validated  PSNR  all " in err
    expected = PairDataset(finished.store.root, split="train").rows["key"].to_pylist()
    seen = keys(folder, steps)
    for first in range(0, len(seen) - len(expected) + 1, len(expected)):
        assert sorted(seen[first : first + len(expected)]) == expected
    counts = {json.loads(line)["ranks"] for line in _lines(folder / KEYS / "00000.jsonl")}
    assert counts == {1, 2}
    steps_told = [json.loads(line)["step"] for line in _lines(folder / "metrics.jsonl")]
    assert steps_told == list(range(1, steps + 1))
    assert load(folder / "result").training is False
    assert not (folder / ".ray").exists()
    assert not [process for process in left if process.is_running() and _works(process)]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_rank_that_dies_is_replaced_and_sigterm_ends_the_training(start, tmp_path):
    process = start(tmp_path, "--workers", 2, "--steps", 100_000, "--checkpoint-every", 5)
    await_step(process, tmp_path, 6, patience=250)
    victim = next(p for p in family(process) if "RayTrainWorker" in " ".join(p.cmdline()))
    victim.kill()
    since = max(json.loads(line)["step"] for line in _lines(tmp_path / "metrics.jsonl"))
    await_step(process, tmp_path, since + 6, patience=250)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=200)
    assert process.returncode == os.EX_TEMPFAIL, err
    assert " of 2 was lost: " in err
    assert "; going on from step " in err
    stopped = int(err.rpartition("stopped at step ")[2].partition(";")[0])
    assert (tmp_path / f"step-{stopped:09d}").is_dir()
    assert set(Counter(keys(tmp_path, stopped)[:32]).values()) == {1}


def _lines(path):
    return path.read_text().splitlines()


def _works(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def refused(cli, finished, tmp_path):
    """(*flags) -> what a command says that starts nothing."""

    def run(*flags):
        folder = tmp_path / "run"
        ended = cli("train", "restorer", *TINY, *FEW, "--run", folder, *flags)
        assert ended.code == 2, ended
        return ended.err

    return run


def test_wrong_settings_are_refused_before_ray_starts(refused, finished, tmp_path):
    data = ["--data", finished.store.root]
    for flags, words in (
        ([], "give --data or --original"),
        ([*data, "--preset", "huge"], "no hyperparameters for nafnet huge; known are nafnet w32"),
        ([*data, "--mix", "often"], "'often' is neither gends nor weights"),
        ([*data, "--mix", "1,2"], "mix has 2 weights, and there are 1 roots"),
        ([*data, "--epoch-pairs", 9], "length=9 needs a mix"),
        ([*data, "--rate", 1e-8], "--rate 1e-08 is below 1e-07, which the schedule ends at"),
        ([*data, "--pretrained", "--model", tmp_path], "give either --pretrained or --model"),
        ([*data, "--model", tmp_path], f"{tmp_path} holds no restorer"),
        ([*data, "--rate", "nan"], "nan is not a number"),
        ([*data, "--seed", -1], "-1 is not in the range x>=0"),
        ([*data, "--crop", 99], "crop 99 is larger than the smallest pair"),
        ([*data, "--split", "dev"], "no pair with split ['dev']; there are ['test', 'train']"),
        ([*data, "--workers", 4], "--batch-size 6 cannot be divided among 4 workers"),
        ([*data, "--device", "cuda"], "no device 'cuda' here"),
        (["--data", tmp_path], "no shard to read yet"),
    ):
        assert words in refused(*flags)
    assert not (tmp_path / "run").exists()


def test_photographs_that_are_trained_on_are_not_validated_on(refused, finished):
    data = ["--data", finished.store.root]
    said = refused(*data, "--validation", finished.store.root)
    assert "photographs to test on are in the training data" in said
    assert f"{finished.store.root}: astronaut left.jpg" in said
    said = refused(*data, "--split", "all", "--validation-split", "test")
    assert "2 photographs to test on are in the training data" in said


def test_a_run_is_not_gone_on_with_under_other_settings(refused, finished, make_settings):
    settings = make_settings(seed=3, batch_size=6, crop=32)
    state = {"identity": identity_of(settings)}
    write_checkpoint(settings.folder, Checkpoint(step=2, tensors={}, state=state))
    said = refused("--data", finished.store.root, "--seed", 4, "--steps", 7, "--rate", 0.5)
    for change in ("seed was 3 and is now 4", "hyperparameters.rate was 0.001 and is now 0.5"):
        assert change in said
    assert "workers" not in said


def test_a_finished_run_is_not_begun_again(cli, finished, make_settings):
    settings = make_settings(batch_size=6, crop=32)
    state = {"identity": identity_of(settings)}
    write_checkpoint(settings.folder, Checkpoint(step=7, tensors={}, state=state))
    settings.result.mkdir()
    run = ["--run", settings.folder, "--data", finished.store.root, "--steps", 7]
    ended = cli("train", "restorer", *TINY, *run)
    assert (ended.code, ended.out) == (0, f"{settings.result}\n")
    assert "trained to its end already" in ended.err
