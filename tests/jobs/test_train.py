"""The whole way from photographs to a trained model and its first dataset, in a few steps each."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from gends import PairDataset
from gends.models.gendeg.model import GenDeg

SMALL = ["--batch-size", "4", "--crop", "64", "--threads", "1", "--checkpoint-every", "2"]


def run(*arguments, expect=0):
    command = [str(Path(sys.executable).with_name("gends-build")), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == expect, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    (folder / "photos").mkdir()
    for name in ("astronaut", "coffee", "chelsea"):
        Image.fromarray(getattr(data, name)()).save(folder / "photos" / f"{name}.png")
    settings = ["--engine", "parametric", "--resolution", 64, "--fit", "random", "--replicas", 4]
    run("run", "--clean", folder / "photos", "--out", folder / "pairs", *settings)
    return folder / "pairs"


@pytest.mark.slow
def test_from_pairs_to_a_model_that_makes_pairs(pairs, tmp_path):
    autoencoder, generator, scm = (tmp_path / name for name in ("autoencoder", "generator", "scm"))
    run("train", "autoencoder", pairs, "--run", autoencoder, "--steps", 4, "--tensorboard", *SMALL)
    assert list((autoencoder / "tensorboard").glob("events.*"))
    run(
        *("train", "generator", pairs, "--autoencoder", autoencoder / "result"),
        *("--run", generator, "--steps", 4, "--sample-every", 4, *SMALL),
    )
    assert list((generator / "samples").glob("*.png"))
    run(
        *("train", "scm", pairs, "--model", generator / "result"),
        *("--run", scm, "--steps", 3, *SMALL),
    )
    done = run(
        *("train", "calibration", pairs, "--model", scm / "result"),
        *("--out", tmp_path / "model", "--samples", 8),
    )
    assert "low_light" in done.stderr
    model = GenDeg.from_pretrained(tmp_path / "model")
    assert model.scm is not None
    assert set(model.calibration.curves) == {
        *("haze", "rain", "snow", "motion_blur", "low_light", "raindrop")
    }
    run(
        *("run", "--clean", pairs.parent / "photos", "--out", tmp_path / "made", "--model"),
        *(tmp_path / "model", "--resolution", 64, "--steps", 2, "--filter-structure-min", -1),
    )
    rows = PairDataset(tmp_path / "made").rows.to_pylist()
    assert rows


@pytest.mark.slow
def test_a_training_goes_on_where_it_stopped(pairs, tmp_path):
    base = ["train", "autoencoder", pairs, "--run"]
    run(*base, tmp_path / "whole", "--steps", 6, *SMALL)
    # the newest checkpoint is lost with its process: the one before it is gone on from
    run(*base, tmp_path / "broken", "--steps", 6, *SMALL)
    newest = sorted((tmp_path / "broken").glob("step-*"))[-1]
    for file in newest.iterdir():
        file.unlink()
    newest.rmdir()
    run(*base, tmp_path / "broken", "--steps", 6, *SMALL)
    weights = [
        (tmp_path / name / "result" / "diffusion_pytorch_model.safetensors").read_bytes()
        for name in ("whole", "broken")
    ]
    assert weights[0] == weights[1]
    lines = (tmp_path / "broken" / "metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    assert steps == sorted(set(steps))


@pytest.mark.slow
def test_other_settings_are_refused(pairs, tmp_path):
    base = ["train", "autoencoder", pairs, "--run", tmp_path, *SMALL]
    run(*base, "--steps", 2)
    done = run(*base, "--steps", 2, "--seed", 1, expect=2)
    assert "seed" in done.stderr
