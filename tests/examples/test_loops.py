"""The examples run as their users run them."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

EXAMPLES = Path(__file__).parents[2] / "examples"

# Forking loader workers beside Arrow's threads is worth a warning to Python 3.12.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-thread:DeprecationWarning")


@pytest.fixture(scope="module")
def root(finished) -> Path:
    return finished.store.root


@pytest.fixture
def run(monkeypatch, capsys) -> Callable[..., str]:
    """(name, *arguments) -> what an example prints, run in this process."""

    def in_process(name: str, *arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        before = torch.get_num_threads()
        torch.set_num_threads(1)  # more wait for each other where cores are busy
        try:
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        finally:
            torch.set_num_threads(before)
        return capsys.readouterr().out

    return in_process


def test_a_plain_loop_goes_on_exactly_with_other_workers(run, root, tmp_path):
    options = ["--data", root, "--batch-size", 5, "--crop", 32]
    whole = run("plain_loop.py", *options, "--run", tmp_path / "a", "--steps", 8, "--workers", 0)
    run("plain_loop.py", *options, "--run", tmp_path / "b", "--steps", 3, "--workers", 1)
    rest = run("plain_loop.py", *options, "--run", tmp_path / "b", "--steps", 8, "--workers", 2)
    assert whole == rest
    assert re.fullmatch(r"step 8: L1 0\.\d{4}\n", whole)
    (facts, weights), (other_facts, other_weights) = (kept(tmp_path / name) for name in "ab")
    assert facts == other_facts
    assert weights.keys() == other_weights.keys()
    assert all(torch.equal(weights[name], other_weights[name]) for name in weights)


def kept(run: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    path = run / "checkpoint.safetensors"
    with safe_open(path, "pt") as file:
        return file.metadata(), load_file(path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Lightning's own are its own
def test_lightning_goes_on_exactly(run, root, tmp_path):
    pytest.importorskip("lightning")
    options = ["--data", root, "--batch-size", 5, "--crop", 32, "--workers"]
    whole = run("lightning_loop.py", *options, 1, "--run", tmp_path / "a", "--steps", 12)
    run("lightning_loop.py", *options, 0, "--run", tmp_path / "b", "--steps", 7)
    rest = run("lightning_loop.py", *options, 1, "--run", tmp_path / "b", "--steps", 12)
    assert (found := re.search(r"step 12: L1 0\.\d{4}\n", whole))
    assert found[0] in rest


@pytest.mark.slow
@pytest.mark.long
def test_ray_train(root, tmp_path):
    options = ["--data", root, "--run", tmp_path / "run", "--crop", "32", "--batch-size", "4"]
    done = subprocess.run(
        [sys.executable, EXAMPLES / "ray_train_loop.py", *options, "--steps", "5", "--every", "3"],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert re.search(r"step 5: L1 0\.\d{4} on each of 2 ranks\n", done.stdout)
    assert list((tmp_path / "run").rglob("model.safetensors"))
