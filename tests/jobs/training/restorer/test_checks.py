"""A training that goes on from the weights of another."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from rank_alone import run, weights

from gends.jobs.training.restorer.checks import check_inputs
from gends.jobs.training.restorer.result import write_result
from gends.jobs.training.restorer.settings import Data, Validation
from gends.jobs.training.restorer.train import identity_of
from gends.jobs.training.trained_on import RECORD, history_of
from gends.models.restorers.architectures import create, load, save
from gends.pipeline.reading.disjoint import SharedSourcesError


@pytest.fixture
def finish(make_settings):
    """(folder, **changes) -> folder of a restorer that was trained for a few steps."""

    def train(folder, **changes):
        settings = make_settings(folder, steps=2, **changes)
        write_result(run(settings).averaged["restorer"], settings, identity_of(settings))
        return settings.result

    return train


@pytest.fixture
def moved(copied):
    """Another place with the same pairs."""
    return copied.store.root


def test_it_begins_with_the_weights_it_is_given(finish, make_settings, tmp_path):
    first = finish(tmp_path / "first")
    still = make_settings(tmp_path / "still", model=first, steps=1, rate=1e-7, ema_decay=0.0)
    for name, values in weights(run(still)).items():
        assert torch.allclose(values, load(first).state_dict()[name], atol=1e-6), name


def test_an_authors_checkpoint_will_do(make_settings, tmp_path):
    theirs = create("nafnet", "tiny", seed=5)
    file = tmp_path / "theirs.pth"
    torch.save({"params": theirs.state_dict()}, file)
    settings = make_settings(model=file, steps=1, rate=1e-7, ema_decay=0.0)
    assert check_inputs(settings) == []
    trained = run(settings)
    for name, values in weights(trained).items():
        assert torch.allclose(values, theirs.state_dict()[name], atol=1e-6), name
    identity = identity_of(settings)
    write_result(trained.averaged["restorer"], settings, identity)
    assert history_of(settings.result).unknown == str(file)
    moved = file.rename(tmp_path / "elsewhere.pth")
    assert identity_of(make_settings(model=moved, steps=1, rate=1e-7, ema_decay=0.0)) == identity
    card = (settings.result / "README.md").read_text()
    assert f"those of a model: {file} has no record" in card


def test_its_record_names_what_came_before(finish, finished, moved, tmp_path):
    root = str(finished.store.root)
    first = finish(tmp_path / "first")
    second = finish(tmp_path / "second", model=first, data=Data(roots=(str(moved),), split="test"))
    shutil.rmtree(first)
    found = [(data.root, data.split) for data in history_of(second).data]
    assert found == [(root, "train"), (str(moved), "test")]
    assert "trained on the first 1 of them" in (second / "README.md").read_text()


def test_other_weights_are_another_run(finish, make_settings, tmp_path):
    first, other = finish(tmp_path / "first"), finish(tmp_path / "other", seed=1)
    names = [identity_of(make_settings(model=model)) for model in (None, first, other)]
    assert len({json.dumps(name) for name in names}) == 3


def test_what_was_trained_on_before_is_not_validated_on(finish, make_settings, finished, tmp_path):
    root = str(finished.store.root)
    first = finish(tmp_path / "first")
    test = Validation(roots=(root,), split="train", most=6, every=1)
    settings = make_settings(model=first, data=Data(roots=(root,), split="test"), validation=test)
    with pytest.raises(SharedSourcesError, match="photographs to test on are in the training"):
        check_inputs(settings)


def test_what_cannot_be_checked_is_said(finish, make_settings, finished, moved, tmp_path):
    first = finish(tmp_path / "first", data=Data(roots=(str(moved),)))
    root = str(finished.store.root)
    test = Validation(roots=(root,), split="test", most=6, every=1)
    settings = make_settings(model=first, validation=test)
    assert check_inputs(settings) == []
    shutil.rmtree(moved)
    assert check_inputs(settings) == []  # they are what is trained on now, at another place
    record = first / RECORD
    facts = json.loads(record.read_text())
    facts["trained_on"]["data"][0]["source"]["catalog_digest"] = "of other photographs"
    record.write_text(json.dumps(facts))
    (said,) = check_inputs(make_settings(model=first, validation=test))
    assert said == f"{moved} is not there any more"
    record.unlink()
    (said,) = check_inputs(make_settings(model=first, validation=test))
    assert said == f"{first} has no {RECORD} that says what it was trained on"


def test_another_restorer_is_refused(make_settings, tmp_path):
    save(create("promptir", "tiny", 0), tmp_path / "promptir")
    with pytest.raises(ValueError, match="holds a PromptIR, and nafnet is asked for"):
        check_inputs(make_settings(model=tmp_path / "promptir"))
    save(create("nafnet", "tiny", 0), tmp_path / "nafnet")
    with pytest.raises(ValueError, match=r"is no nafnet 'w32': width 16 for 32, encoder_blocks"):
        check_inputs(make_settings(model=tmp_path / "nafnet", preset="w32"))


@pytest.mark.parametrize(
    "facts",
    [
        {"data": [], "unknown": None},
        {"data": "", "unknown": None},
        {"data": [{"root": 5, "split": None, "source": {}}], "unknown": None},
        {"data": [{"root": "r", "split": ["train"], "source": {}}], "unknown": None},
        {"unknown": 3},
        {"data": [{"root": "r", "split": None, "source": {}}], "unknown": None},
        {"data": [{"root": "r", "split": None, "source": {"shards": "5"}}]},
    ],
)
def test_a_record_that_is_none_is_damaged(tmp_path, facts):
    (tmp_path / RECORD).write_text(json.dumps({"trained_on": facts}))
    with pytest.raises(ValueError, match=r"training\.json: damaged"):
        history_of(tmp_path)


def test_some_of_the_roots_may_lack_the_split_that_is_validated_on(
    make_settings, finished, build_dataset, photos, tmp_path
):
    few = photos.parent / "few.csv"
    few.write_text("\n".join(photos.read_text().splitlines()[:3]) + "\n")
    train_only = build_dataset(few, tmp_path / "train only").store.root
    roots = (str(finished.store.root), str(train_only))
    test = Validation(roots=roots, split="test", most=6, every=1)
    assert check_inputs(make_settings(data=Data(roots=roots), validation=test)) == []


def test_a_root_of_which_nothing_is_trained_on_is_refused(
    make_settings, finished, build_dataset, photos, tmp_path
):
    haze = build_dataset(photos, tmp_path / "haze", degradations=["haze"]).store.root
    roots = (str(finished.store.root), str(haze))
    check_inputs(make_settings(data=Data(roots=roots, degradations=("haze", "rain"))))
    with pytest.raises(ValueError, match=r"haze: not one of its pairs is of split train"):
        check_inputs(make_settings(data=Data(roots=roots, degradations=("rain",))))
