"""Real builds that are asked to stop, from their first moment on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from gends.jobs.cluster import sigterm
from gends.jobs.cluster.stop import Stop

PROGRAM = Path(sys.executable).with_name("gends-build")
SETTINGS = ("--engine", "dry", "--resolution", "64", "--replicas", "160", "--workers", "1")


def start(photos: Path, root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [PROGRAM, "run", "--clean", photos, "--out", root, *SETTINGS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def await_readiness(process: subprocess.Popen[str]) -> None:
    """Wait until SIGTERM no longer kills a process: at first, Python itself is still starting."""
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        blocked = status.read_text().partition("SigBlk:")[2].split()[0]
        if int(blocked, 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.005)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "delay"),
    [(signal.SIGTERM, None), (signal.SIGTERM, 0.2), (signal.SIGINT, 1.5)],
)
def test_a_build_stops_while_it_starts(photos, tmp_path, number, delay):
    root = tmp_path / "root"
    process = start(photos, root)
    if delay is None:
        await_readiness(process)
    else:
        while process.stderr.readline() != "starting Ray and the engine\n":
            assert process.poll() is None
        time.sleep(delay)
    os.killpg(process.pid, number)  # as a terminal and `timeout` do
    started = set(psutil.Process(process.pid).children(recursive=True))
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        started |= set(psutil.Process(process.pid).children(recursive=True))
        time.sleep(0.05)
    _, err = process.communicate(timeout=1)
    code, words = {
        signal.SIGTERM: (75, "gends-build: stopped as asked"),
        signal.SIGINT: (130, "interrupted; the same command resumes"),
    }[number]
    assert process.returncode == code, err
    *before, last = err.strip().splitlines()
    assert last.startswith(words)
    known = (" pairs (", "starting ", "loading ", "reading ")
    assert all(any(word in line for word in known) for line in before if line), "Ray speaks"
    _, alive = psutil.wait_procs(started, timeout=20)
    assert not alive
    if root.exists():
        assert (root / "dataset.json").exists()


def test_sigterm_that_came_before_the_build_drains_it():
    sigterm._noted.set()
    stop = Stop()
    with stop.on_signals():
        assert stop.draining
        assert not stop.interrupted
        signal.raise_signal(signal.SIGINT)
        assert stop.interrupted
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
