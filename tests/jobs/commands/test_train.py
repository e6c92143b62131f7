"""The whole way from photographs to a trained model and its first dataset, in a few steps each."""

import json
import os
import shutil
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from skimage import data

from gends import PairDataset
from gends.jobs.commands.train import CROP_STEP, SIZES
from gends.jobs.training.autoencoder import ImagePool, autoencoder_task
from gends.jobs.training.gendeg_training import Options, load_autoencoder
from gends.jobs.training.generator import latent_cache
from gends.jobs.training.inputs import source_of
from gends.jobs.training.scm import CorrectionData, begin, correction_task
from gends.models.autoencoder import STRIDE, PatchAutoencoder
from gends.models.degradations import DEGRADATIONS
from gends.models.gendeg.engine import GenDegDegrader
from gends.models.gendeg.model import GenDeg
from gends.models.gendeg.presets import GENDEG_MINI
from gends.models.gendeg.target import Target
from gends.models.parametric.engine import ParametricDegrader
from gends.models.scm import PRESETS
from gends.pipeline.format.damage import DamageError
from gends.pipeline.format.identity import IdentityError

SMALL = ["--batch-size", "4", "--crop", "64", "--threads", "1", "--checkpoint-every", "2"]


@pytest.fixture
def train(cli):
    """(*arguments) runs `gends-build train` in this process: importing torch takes longer."""

    def run(*arguments, expect=0):
        ended = cli("train", *arguments)
        assert ended.code == expect, ended.out + ended.err
        return ended

    return run


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clean")
    for name in ("astronaut", "coffee", "chelsea"):
        Image.fromarray(getattr(data, name)()).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def pairs(clean, build_dataset, tmp_path_factory):
    settings = {"engine": "parametric", "fit": "random", "replicas": 4}
    root = tmp_path_factory.mktemp("train") / "pairs"
    build_dataset(clean, root, degrader=ParametricDegrader(), **settings)
    return root


@pytest.mark.slow
@pytest.mark.long
def test_from_pairs_to_a_model_that_makes_pairs(pairs, clean, train, build_dataset, tmp_path):
    autoencoder, generator, scm = (tmp_path / name for name in ("autoencoder", "generator", "scm"))
    train("autoencoder", pairs, "--run", autoencoder, "--steps", 4, "--tensorboard", *SMALL)
    assert list((autoencoder / "tensorboard").glob("events.*"))
    train(
        *("generator", pairs, "--autoencoder", autoencoder / "result"),
        *("--run", generator, "--steps", 4, "--sample-every", 4, *SMALL),
    )
    assert list((generator / "samples").glob("*.png"))
    done = train(
        *("generator", pairs, "--model", generator / "result"),
        *("--run", generator, "--steps", 4, *SMALL),
        expect=2,
    )
    assert "starts_from was" in done.err
    train(
        *("scm", pairs, "--model", generator / "result"),
        *("--run", scm, "--steps", 3, "--sample-every", 3, *SMALL),
    )
    (sample,) = (scm / "samples").glob("*.png")
    with Image.open(sample) as picture:
        assert picture.size == (8 * 64, 4 * 64)
    done = train(
        *("calibration", pairs, "--model", scm / "result"),
        *("--out", tmp_path / "model", "--samples", 8, "--device", "cpu"),
    )
    assert "low_light" in done.err
    model = GenDeg.from_pretrained(tmp_path / "model")
    assert model.scm is not None
    assert set(model.calibration.curves) == {
        *("haze", "rain", "snow", "motion_blur", "low_light", "raindrop")
    }
    engine = GenDegDegrader(model, sampling=replace(model.sampling, steps=2))
    loose = {"filter": {"structure_min": -1, "stray_colour_max": 99}}
    made = build_dataset(clean, tmp_path / "made", degrader=engine, engine="gendeg", **loose)
    assert len(PairDataset(made.store.root)) > 0


@pytest.mark.slow
def test_a_training_goes_on_where_it_stopped(pairs, train, tmp_path):
    base = ["autoencoder", pairs, "--run"]
    done = train(*base, tmp_path / "whole", "--steps", 6, *SMALL)
    assert all(line.startswith("step ") for line in done.err.splitlines()), done.err
    # the newest checkpoint is lost with its process: the one before it is gone on from
    train(*base, tmp_path / "broken", "--steps", 6, *SMALL)
    newest = sorted((tmp_path / "broken").glob("step-*"))[-1]
    for file in newest.iterdir():
        file.unlink()
    newest.rmdir()
    train(*base, tmp_path / "broken", "--steps", 6, *SMALL)
    weights = [
        (tmp_path / name / "result" / "diffusion_pytorch_model.safetensors").read_bytes()
        for name in ("whole", "broken")
    ]
    assert weights[0] == weights[1]
    lines = (tmp_path / "broken" / "metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    assert steps == sorted(set(steps))


@pytest.mark.slow
def test_other_settings_are_refused(pairs, train, tmp_path):
    base = ["autoencoder", pairs, "--run", tmp_path, *SMALL]
    train(*base, "--steps", 2)
    done = train(*base, "--steps", 2, "--seed", 1, expect=2)
    assert "seed" in done.err


@pytest.mark.slow
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_everything_trains_on_a_gpu(pairs, train, tmp_path):
    flags = ["--steps", 2, "--sample-every", 2, "--device", "cuda", *SMALL]
    autoencoder, generator, scm = (tmp_path / name for name in ("autoencoder", "generator", "scm"))
    train("autoencoder", pairs, "--run", autoencoder, *flags)
    start = ["--autoencoder", autoencoder / "result"]
    train("generator", pairs, *start, "--run", generator, *flags)
    train("scm", pairs, "--model", generator / "result", "--run", scm, *flags)
    for folder in (autoencoder, generator, scm):
        assert list((folder / "samples").glob("*.png"))
    flags = ["--out", tmp_path / "model", "--samples", 8, "--device", "cuda"]
    train("calibration", pairs, "--model", scm / "result", *flags)
    assert GenDeg.from_pretrained(tmp_path / "model").calibration.curves


TINY = replace(
    GENDEG_MINI,
    unet={
        **GENDEG_MINI.unet,
        "in_channels": 8,
        "out_channels": 4,
        "block_out_channels": (8, 8, 16),
        "norm_num_groups": 4,
        "attention_head_dim": 2,
        "cross_attention_dim": 16,
        "addition_embed_type_num_heads": 2,
    },
    text_encoder={
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 16,
        "projection_dim": 16,
    },
    autoencoder=("PatchAutoencoder", {"latent_channels": 4, "fine_width": 4, "coarse_width": 4}),
    target=Target(
        kind="difference",
        mean={name: [0.0] * 4 for name in DEGRADATIONS},
        deviation={name: [1.0] * 4 for name in DEGRADATIONS},
    ),
)
OPTIONS = Options(batch_size=4, crop=32, rate=1e-3, seed=0)


@pytest.fixture(scope="module")
def full_size_kind(tmp_path_factory) -> Path:
    """A tiny model with Stable Diffusion's class of autoencoder."""
    config = {
        "block_out_channels": (8, 8, 8, 8),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "norm_num_groups": 4,
    }
    folder = tmp_path_factory.mktemp("full size") / "model"
    GenDeg.build(replace(TINY, autoencoder=("AutoencoderKL", config)), seed=0).save_pretrained(
        folder
    )
    return folder


@pytest.mark.parametrize(
    ("part", "option", "of"),
    [
        ("generator", "--model", ""),
        ("scm", "--model", ""),
        ("generator", "--autoencoder", "vae"),
        ("autoencoder", "--model", "vae"),
    ],
)
def test_a_full_size_model_is_refused(cli, finished, full_size_kind, tmp_path, part, option, of):
    given = ["--run", tmp_path / "run", "--crop", 32, option, full_size_kind / of]
    ended = cli("train", part, finished.store.root, *given)
    assert ended.code == 2
    assert "not supported yet" in ended.err
    assert not (tmp_path / "run").exists()


def test_an_autoencoder_that_is_not_whole_is_refused(tmp_path):
    PatchAutoencoder(4, 4, 4, (1, 1)).save_pretrained(tmp_path)
    assert load_autoencoder(tmp_path).config["latent_channels"] == 4
    weights = tmp_path / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    del tensors["synthesis.bias"]
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"missing_keys, 1: synthesis\.bias"):
        load_autoencoder(tmp_path)


@pytest.fixture
def other(photos, build_dataset, tmp_path) -> Path:
    """A dataset of the same photographs with another seed."""
    return build_dataset(photos, tmp_path / "other", seed=4).store.root


def test_data_are_named_by_what_is_in_them(finished, copied, other):
    here = source_of(finished.store.root)
    assert source_of(copied.store.root) == here
    found = source_of(other)
    assert {name for name in here if found[name] != here[name]} == {"config_digest", "shards"}
    sorted((copied.store.root / "manifest").iterdir())[-1].unlink()
    fewer = source_of(copied.store.root)
    assert {name for name in here if fewer[name] != here[name]} == {"shards"}


def test_a_folder_without_a_dataset_is_refused(tmp_path):
    with pytest.raises(IdentityError, match=f"{tmp_path}: no dataset.json here"):
        source_of(tmp_path)


def test_a_dataset_whose_identity_was_edited_is_refused(copied):
    identity = copied.store.root / "dataset.json"
    identity.write_text(identity.read_text().replace('"seed": 3', '"seed": 5'))
    with pytest.raises(DamageError, match=r"dataset\.json: damaged, or edited by hand"):
        source_of(copied.store.root)


def test_a_run_is_not_gone_on_with_on_other_data_or_from_another_model(
    cli, finished, other, tmp_path
):
    flags = ["--run", tmp_path / "run", "--steps", 1, "--sample-every", 0, *SMALL]
    root = finished.store.root
    ended = cli("train", "autoencoder", root, *flags)
    assert ended.code == 0, ended.err
    result = tmp_path / "start"
    shutil.copytree(tmp_path / "run" / "result", result)
    for data_, more, word in (
        (other, [], "shards was"),
        (root, ["--model", result], "starts_from was None and is now"),
        (root, ["--ema", 0.9], "ema was 0.999 and is now 0.9"),
        (root, ["--steps", 2], f"give a new --run and --model {tmp_path / 'run' / 'result'}"),
    ):
        ended = cli("train", "autoencoder", data_, *flags, *more)
        assert ended.code == 2
        assert word in ended.err
    assert cli("train", "autoencoder", root, *flags).code == 0


def test_ctrl_c_ends_a_training_that_goes_on_later(cli, finished, tmp_path):
    flags = ["--run", tmp_path, "--steps", 1000, "--sample-every", 0, *SMALL]

    def interrupt():
        while not (tmp_path / "metrics.jsonl").exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    ended = cli("train", "autoencoder", finished.store.root, *flags)
    assert ended.code == 130
    assert "the same command goes on" in ended.err
    assert list(tmp_path.glob("step-*"))


def test_latents_of_other_data_or_another_autoencoder_are_not_read(finished, other, tmp_path):
    root = finished.store.root
    autoencoder = PatchAutoencoder(4, 4, 4, (1, 1))
    inputs = {name: PairDataset(name) for name in (root, other)}
    source = source_of(root) | {"autoencoder": "a"}
    made = latent_cache(tmp_path / "cache", inputs[root], autoencoder, source)
    again = latent_cache(tmp_path / "cache", inputs[root], autoencoder, source)
    np.testing.assert_array_equal(made.lq, again.lq)
    for data_, change, word in (
        (other, source_of(other), "shards was"),
        (root, {"autoencoder": "b"}, "autoencoder was 'a' and is now 'b'"),
    ):
        with pytest.raises(ValueError, match=word):
            latent_cache(tmp_path / "cache", inputs[data_], autoencoder, source | change)


def test_correction_goes_on_from_the_models_own_or_begins_in_the_size_asked_for():
    model = GenDeg.build(TINY, seed=0)
    first = begin(model, None, 1)
    assert first.scm.config["width"] == PRESETS["mini"]["width"]
    assert begin(first, None, 2).scm is first.scm
    assert begin(first, "mini", 2).scm is not first.scm
    assert begin(first, "width32", 1).scm.config["width"] == 32
    with pytest.raises(ValueError, match="choose from"):
        begin(model, "huge", 1)


def test_settings_that_commands_check_early_are_those_of_the_models():
    assert set(SIZES) == set(PRESETS)
    assert CROP_STEP == STRIDE


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--preset", "foo"], ["--preset", "'foo'", "width32"]),
        (["--crop", 65], ["--crop", "65 is no multiple of 8"]),
        (["--rate", -1], ["--rate", "-1", "0<x<=1"]),
        (["--ema", 2], ["--ema", "0<=x<1"]),
        (["--sample-every", -1], ["--sample-every", "x>=0"]),
        (["--device", "banana"], ["--device", "no device 'banana' here", "cuda:N"]),
        (["--device", "cuda:99"], ["--device", "no device 'cuda:99' here"]),
        (["--crop", 256], ["--crop 256 is larger than the pairs (64x64)"]),
    ],
    ids=str,
)
def test_wrong_settings_are_refused_before_a_model_is_loaded(cli, finished, tmp_path, given, words):
    (tmp_path / "no model").mkdir()
    flags = ["--model", tmp_path / "no model", "--run", tmp_path / "run", *given]
    ended = cli("train", "scm", finished.store.root, *flags)
    assert ended.code == 2
    assert all(word in ended.err for word in words), ended.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("part", ["autoencoder", "generator"])
def test_crops_larger_than_the_pairs_are_refused(cli, finished, tmp_path, part):
    (tmp_path / "vae").mkdir()
    start = ["--autoencoder", tmp_path / "vae"] if part == "generator" else []
    flags = ["--run", tmp_path / "run", "--crop", 72, *start]
    ended = cli("train", part, finished.store.root, *flags)
    assert ended.code == 2
    assert "--crop 72 is larger than the pairs (64x64)" in ended.err


def test_correction_shows_what_it_learns(finished):
    data_ = CorrectionData(PairDataset(finished.store.root))
    task = correction_task(begin(GenDeg.build(TINY, seed=0), "mini", 0), data_, OPTIONS)
    with torch.inference_mode():
        picture = task.sample(1, task.modules)
        again = task.sample(2, task.modules)
    assert picture.shape == (4 * 32, 8 * 32, 3)
    np.testing.assert_array_equal(picture, again)
    clean, estimate, corrected, lq = picture.reshape(4, 32, 8 * 32, 3)
    np.testing.assert_array_equal(estimate, corrected)  # untrained, it changes nothing
    assert not np.array_equal(clean, lq)
    assert not np.array_equal(estimate, lq)


def test_a_new_correction_is_where_the_generator_is(finished):
    model = begin(GenDeg.build(TINY, seed=0), None, 0).to("meta")
    data_ = CorrectionData(PairDataset(finished.store.root))
    (scm,) = correction_task(model, data_, OPTIONS).modules.values()
    assert {parameter.device.type for parameter in scm.parameters()} == {"meta"}


def test_shown_images_go_where_the_autoencoder_is(finished):
    pool = ImagePool(PairDataset(finished.store.root))
    task = autoencoder_task(PatchAutoencoder(4, 4, 4, (1, 1)).to("meta"), pool, OPTIONS)
    seen = []

    def module(images):
        seen.append(images.device.type)
        return torch.zeros(images.shape)

    task.sample(0, {"vae": module})
    assert seen == ["meta"]
