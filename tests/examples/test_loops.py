"""The examples run as their users run them, each in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def root(finished) -> Path:
    return finished.store.root


def run(name: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@pytest.mark.slow
def test_a_plain_loop_goes_on_exactly_with_other_workers(root, tmp_path):
    options = ["--data", root, "--batch-size", 5, "--crop", 32]
    whole = run("plain_loop.py", *options, "--run", tmp_path / "a", "--steps", 12, "--workers", 0)
    run("plain_loop.py", *options, "--run", tmp_path / "b", "--steps", 3, "--workers", 1)
    rest = run("plain_loop.py", *options, "--run", tmp_path / "b", "--steps", 12, "--workers", 2)
    assert whole == rest
    assert re.fullmatch(r"step 12: L1 0\.\d{4}\n", whole)
    first, second = (tmp_path / name / "checkpoint.safetensors" for name in "ab")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.slow
def test_lightning(root):
    pytest.importorskip("lightning")
    said = run("lightning_loop.py", "--data", root, "--steps", 8, "--crop", 32, "--workers", 1)
    assert re.search(r"step 8: L1 0\.\d{4}\n", said)


@pytest.mark.slow
def test_ray_train(root, tmp_path):
    options = ["--data", root, "--run", tmp_path / "run", "--crop", 32, "--batch-size", 4]
    said = run("ray_train_loop.py", *options, "--steps", 5, "--every", 3)
    assert re.search(r"step 5: L1 0\.\d{4} on each of 2 ranks\n", said)
    assert list((tmp_path / "run").rglob("model.safetensors"))
