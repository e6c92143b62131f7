"""A training of a restorer, without Ray: what each of its ranks does."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image
from rank_alone import run, weights

from gends.jobs.training.restorer.pair_feed import KEYS
from gends.jobs.training.restorer.result import VALIDATIONS, write_result
from gends.jobs.training.restorer.settings import Validation
from gends.jobs.training.restorer.train import identity_of
from gends.jobs.training.trained_on import RECORD, history_of
from gends.models.restorers.architectures import load


def keys(settings):
    lines = (settings.folder / KEYS / "00000.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_a_resumed_training_has_the_weights_and_pairs_of_an_uninterrupted_one(
    make_settings, tmp_path
):
    whole, broken = make_settings(tmp_path / "whole"), make_settings(tmp_path / "broken")
    expected = run(whole)
    assert [run(broken, steps=steps).step for steps in (3, 1, 2)] == [3, 4, 6]
    found = run(broken)
    assert (found.step, found.finished) == (7, True)
    for name, values in weights(expected).items():
        assert torch.equal(weights(found)[name], values), name
    assert keys(broken) == keys(whole)


@pytest.mark.parametrize("arch", ["promptir", "swin"])
def test_the_other_restorers_train_and_are_saved(make_settings, arch):
    settings = make_settings(arch=arch, steps=2, batch_size=2, ema_decay=0.5)
    trained = run(settings)
    write_result(trained.averaged["restorer"], settings, identity_of(settings))
    for name, values in load(settings.result).state_dict().items():
        assert torch.equal(values, weights(trained)[name])


def test_it_learns_what_it_is_judged_by(make_settings, finished):
    root = str(finished.store.root)
    settings = make_settings(
        validation=Validation(roots=(root,), split="test", most=6, every=10),
        steps=40,
        rate=3e-3,
        checkpoint_every=40,
        report_every=40,
        sample_every=40,
    )
    seen = []
    trained = run(settings, seen=seen)
    figures = seen[-1]
    assert [entry["step"] for entry in seen] == [10, 20, 30, 40]
    assert figures["pairs"]["all"] == 6
    assert figures["psnr_lq"] == seen[0]["psnr_lq"]
    assert figures["psnr"]["all"] > seen[0]["psnr"]["all"] + 1
    (picture,) = (settings.folder / "samples").iterdir()
    with Image.open(picture) as grid:
        lq, restored, gt = np.asarray(grid).reshape(3, 32, 8 * 32, 3)
    assert not np.array_equal(lq, restored)
    assert np.abs(lq.astype(float) - gt).mean() > 1
    (settings.folder / VALIDATIONS).write_text(json.dumps(figures) + "\n")
    write_result(trained.averaged["restorer"], settings, identity_of(settings))
    card = (settings.result / "README.md").read_text()
    assert f"| low_light | 1 | {figures['psnr_lq']['low_light']:.2f} |" in card
    assert root in card
    facts = json.loads((settings.result / RECORD).read_text())
    assert history_of(settings.result).find([]) == ({"train": [root]}, [])
    assert facts["validation"] == figures
    assert facts["run"]["hyperparameters"]["steps"] == 40


def test_an_identity_is_json_and_names_what_decides_the_weights(make_settings):
    identity = identity_of(make_settings())
    assert json.loads(json.dumps(identity)).keys() == identity.keys()
    changed = identity_of(make_settings(seed=1, rate=0.5, threads=2, loader_workers=3))
    assert {name for name in identity if identity[name] != changed[name]} == {
        "seed",
        "hyperparameters",
    }
