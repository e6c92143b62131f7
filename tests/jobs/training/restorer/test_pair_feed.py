from __future__ import annotations

import json
from collections import Counter

import pytest
import torch

from gends import PairDataset
from gends.jobs.training.restorer.pair_feed import KEYS, PairFeed
from gends.jobs.training.restorer.settings import Data
from gends.models.training.ranks import Ranks

CPU = torch.device("cpu")
EPOCH, BATCH = 32, 12
"""Pairs of the split train; an epoch ends within a batch."""


@pytest.fixture
def settings(make_settings):
    return make_settings(batch_size=BATCH)


def feeds(settings, count, state=None):
    """The feeds of so many ranks, gone on with from a state."""
    made = [PairFeed(settings, Ranks(rank=rank, count=count), CPU) for rank in range(count)]
    for feed in made:
        if state is not None:
            feed.load_state_dict(state)
    return made


def steps(some, start, stop):
    """What ranks in step are given: for each step the batches of all ranks."""
    given = []
    contexts = [feed.batches(range(start, stop)) for feed in some]
    iterators = [context.__enter__() for context in contexts]
    for _ in range(start, stop):
        given.append([next(iterator) for iterator in iterators])
    for context in contexts:
        context.__exit__(None, None, None)
    return given


def logged(settings):
    """Keys of each step, of all ranks."""
    found = {}
    for path in (settings.folder / KEYS).glob("*.jsonl"):
        for line in map(json.loads, path.read_text().splitlines()):
            found.setdefault(line["step"], []).extend(line["keys"])
    return [found[step] for step in sorted(found)]


def test_every_pair_of_an_epoch_comes_once_and_epochs_follow_without_a_gap(settings, finished):
    (feed,) = feeds(settings, 1)
    given = steps([feed], 0, 8)  # three epochs
    keys = [key for step in logged(settings) for key in step]
    assert [len(batch["lq"]) for (batch,) in given] == [BATCH] * 8
    expected = PairDataset(finished.store.root, split="train").rows["key"].to_pylist()
    epochs = [keys[start : start + EPOCH] for start in range(0, 3 * EPOCH, EPOCH)]
    assert [sorted(epoch) for epoch in epochs] == [expected] * 3
    assert len(set(map(tuple, epochs))) == 3
    for batch in given[0]:
        assert batch.keys() == {"lq", "gt"}
        assert batch["gt"].shape == (BATCH, 3, 32, 32)
        assert 0.0 <= batch["gt"].min() < batch["gt"].max() <= 1.0


def test_a_batch_may_hold_several_epochs(make_settings):
    settings = make_settings(batch_size=80)
    (feed,) = feeds(settings, 1)
    steps([feed], 0, 6)
    keys = [key for step in logged(settings) for key in step]
    assert set(Counter(keys).values()) == {6 * 80 // EPOCH}
    assert set(Counter(keys[:EPOCH]).values()) == {1}


@pytest.mark.parametrize("count", [2, 3])
def test_a_step_has_the_same_pairs_for_any_number_of_ranks(settings, count):
    whole = [batch for (batch,) in steps(feeds(settings, 1), 0, 6)]
    keys = logged(settings)
    parts = steps(feeds(settings, count), 0, 6)
    assert list(map(Counter, logged(settings))) == list(map(Counter, keys))
    for batch, ranks in zip(whole, parts, strict=True):
        for part in ("lq", "gt"):
            # rank r has every count-th from the r-th on
            merged = torch.stack([rank[part] for rank in ranks], 1).flatten(0, 1)
            assert torch.equal(merged, batch[part])


def test_any_history_of_stops_and_numbers_of_ranks_gives_each_pair_once(settings):
    expected = [batch["lq"] for (batch,) in steps(feeds(settings, 1), 0, 9)]
    state, found = None, []
    for count, start, stop in ((3, 0, 2), (1, 2, 3), (2, 3, 5), (4, 5, 9)):
        some = feeds(settings, count, state)
        for ranks in steps(some, start, stop):
            found.append(torch.stack([rank["lq"] for rank in ranks], 1).flatten(0, 1))
        states = [json.loads(json.dumps(feed.state_dict())) for feed in some]
        state = states[0]
        assert state["pairs"] == stop * BATCH
        assert [other["pairs"] for other in states] == [state["pairs"]] * count
    assert all(map(torch.equal, found, expected))
    keys = [key for step in logged(settings) for key in step]
    assert set(Counter(keys[: 3 * EPOCH]).values()) == {3}


def test_what_was_read_ahead_does_not_count(settings, make_settings):
    reading = make_settings(batch_size=BATCH, loader_workers=1)
    (feed,) = feeds(reading, 1)
    first = steps([feed], 0, 1)
    assert feed.state_dict()["pairs"] == BATCH
    rest = steps(feeds(settings, 1, feed.state_dict()), 1, 4)
    expected = steps(feeds(settings, 1), 0, 4)
    for (found,), (known,) in zip(first + rest, expected, strict=True):
        assert torch.equal(found["gt"], known["gt"])


def test_steps_that_run_again_are_logged_once(settings):
    (feed,) = feeds(settings, 1)
    steps([feed], 0, 2)
    state = feed.state_dict()
    steps(feeds(settings, 2, state), 2, 5)  # killed here, with a checkpoint of step 2
    steps(feeds(settings, 1, state), 2, 4)
    keys = logged(settings)
    assert [len(step) for step in keys] == [BATCH] * 4
    assert {path.name: path.read_text() for path in (settings.folder / KEYS).iterdir()}[
        "00001.jsonl"
    ] == ""


def test_other_data_are_refused(settings, make_settings, finished):
    (feed,) = feeds(settings, 1)
    data = Data(roots=(str(finished.store.root),), split="test")
    with pytest.raises(ValueError, match="of another stream"):
        feeds(make_settings(batch_size=BATCH, data=data), 1, feed.state_dict())


def test_originals_are_mixed_one_to_one(make_settings, finished, photos, build_dataset, tmp_path):
    other = build_dataset(photos, tmp_path / "other", seed=4).store.root
    data = Data(
        roots=(str(finished.store.root),),
        original=(str(other),),
        mix="gends",
        length=48,
        degradations=("haze", "rain"),
    )
    settings = make_settings(data=data, batch_size=16)
    (feed,) = feeds(settings, 1)
    steps([feed], 0, 3)
    keys = [key.split("-")[1] for step in logged(settings) for key in step]
    assert Counter(keys) == {"haze": 24, "rain": 24}
    weights = Data(roots=data.roots, original=data.original, mix=(1.0, 0.0), length=24)
    (feed,) = feeds(make_settings(tmp_path / "weights", data=weights, batch_size=24), 1)
    steps([feed], 0, 1)
    rows = PairDataset(finished.store.root).rows["key"].to_pylist()
    assert {key for step in logged(make_settings(tmp_path / "weights")) for key in step} <= set(
        rows
    )
