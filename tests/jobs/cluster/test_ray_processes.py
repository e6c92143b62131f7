"""Real builds and trainings among hostile files, and under signals that come to all processes."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from growing import files_in
from metrics_log import await_step

PROGRAM = Path(sys.executable).with_name("gends-build")
BUILD = ("--engine", "dry", "--resolution", "64", "--unit-images", "1", "--workers", "1")
TINY = ("--arch", "nafnet", "--preset", "tiny", "--batch-size", "4", "--crop", "32")
FEW = ("--loader-workers", "1", "--threads", "1", "--sample-every", "0", "--report-every", "1")
TRAP = """
import os

with open(os.environ["WITNESS"], "a") as file:
    file.write(__file__ + "\\n")
raise ImportError("this is not the library")
"""
NAMES = ("blake3", "cv2", "fpng", "isal", "numpy", "pyarrow", "PIL", "torch", "usercustomize")
"""Modules that builds and trainings import, and one that Python itself does."""


@pytest.fixture
def trapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of modules by these names; `tmp_path / "witness"` names those that were run."""
    folder = tmp_path / "downloaded"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.py").write_text(TRAP)
    monkeypatch.setenv("WITNESS", str(tmp_path / "witness"))
    return folder


def start(*arguments: object, folder: Path | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [PROGRAM, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=folder,
    )


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def signal_all(process: subprocess.Popen[str], number: int) -> None:
    """As systemd and `scancel` do: to each process that is found, the children first."""
    for child in reversed(family(process)):
        with contextlib.suppress(psutil.NoSuchProcess):
            child.send_signal(number)
    process.send_signal(number)


def check_silence(err: str) -> None:
    """Neither Ray's native part speaks nor a traceback."""
    assert not re.search(r"^\[|^\*|\.cc:\d|Traceback", err, re.MULTILINE), err


def signal_group(process: subprocess.Popen[str], number: int) -> None:
    """As a terminal and `timeout` do."""
    os.killpg(process.pid, number)


@pytest.mark.slow
def test_a_build_imports_nothing_from_the_current_folder(trapped, photos):
    for path in photos.parent.glob("rocket *"):
        shutil.copy(path, trapped)
    process = start("run", "--clean", ".", "--out", "../made", *BUILD, folder=trapped)
    _, err = process.communicate(timeout=250)
    assert process.returncode == 0, err
    assert (trapped.parent / "made" / "manifest" / "000000.parquet").exists()
    assert not (trapped.parent / "witness").exists()


@pytest.mark.slow
def test_a_training_imports_nothing_from_the_current_folder(trapped, finished):
    shutil.copytree(finished.store.root, trapped / "data")
    process = start(
        *("train", "restorer", *TINY, *FEW[:-2], "--data", "data", "--run", "runs/one"),
        *("--steps", "2", "--device", "cpu"),
        folder=trapped,
    )
    _, err = process.communicate(timeout=250)
    assert process.returncode == 0, err
    assert (trapped / "runs" / "one" / "result").exists()
    assert "\nstep 1/2\nstep 2/2  loss " in err
    assert not (trapped.parent / "witness").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "send", "code"),
    [
        (signal.SIGTERM, signal_group, os.EX_TEMPFAIL),
        (signal.SIGTERM, signal_all, os.EX_TEMPFAIL),
        (signal.SIGINT, signal_group, 130),
    ],
)
def test_a_signal_to_all_processes_ends_a_build_in_order(photos, tmp_path, number, send, code):
    root = tmp_path / "root"
    many = ("--shard-size", "12", "--replicas", "160", "--grace", "30")
    process = start("run", "--clean", photos, "--out", root, *BUILD, *many)
    while not files_in(root / "work", root / "manifest"):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    started = family(process)
    send(process, number)
    _, err = process.communicate(timeout=100)
    assert process.returncode == code, err
    last = err.splitlines()[-1]
    if number == signal.SIGTERM:
        assert "stopped as asked, with " in last
        assert " 0 given up in flight" in last
    else:
        assert last == "interrupted; the same command resumes"
    check_silence(err)
    _, alive = psutil.wait_procs(started, timeout=5)
    assert not alive


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(
    ("number", "send", "code"),
    [(signal.SIGTERM, signal_all, os.EX_TEMPFAIL), (signal.SIGINT, signal_group, 130)],
)
def test_a_signal_to_all_processes_ends_a_training_in_order(finished, tmp_path, number, send, code):
    run = tmp_path / "run"
    process = start(
        *("train", "restorer", *TINY, *FEW, "--data", finished.store.root, "--run", run),
        *("--steps", "100000", "--checkpoint-every", "100000", "--device", "cpu"),
    )
    await_step(process, run, 2, patience=250)
    started = family(process)
    send(process, number)
    _, err = process.communicate(timeout=100)
    assert process.returncode == code, err
    last = err.splitlines()[-1]
    assert last.startswith("stopped at step ")
    check_silence(err)
    step = int(last.split()[3].rstrip(";"))
    assert (run / f"step-{step:09d}").is_dir()
    _, alive = psutil.wait_procs(started, timeout=5)
    assert not alive
