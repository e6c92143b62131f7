from __future__ import annotations

import tempfile
from operator import itemgetter
from pathlib import Path

import numpy as np
import pytest
from torch.utils.data import DataLoader

from gends import Augment, PairDataset, PairStream

pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-thread:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
]


@pytest.fixture(scope="module")
def root(finished):
    return finished.store.root


@pytest.fixture(scope="module")
def keys(root):
    return PairDataset(root).rows["key"].to_pylist()


def stream_keys(stream) -> list[str]:
    return [item["key"] for item in stream]


key_of = itemgetter("key")


def test_an_epoch_has_every_pair_once_in_another_order(root, keys):
    found = stream_keys(PairStream(root))
    assert len(found) == len(PairStream(root)) == len(keys)
    assert sorted(found) == keys
    assert found != keys


def test_items_are_those_of_the_dataset(root, keys):
    dataset = PairDataset(root)
    for item in PairStream(root, degradations=["haze"]):
        original = dataset[keys.index(item["key"])]
        assert np.array_equal(item["lq"], original["lq"])
    stream = PairStream(root, split="test", transform=key_of)
    assert sorted(stream) == stream_keys(PairDataset(root, split="test"))


def test_the_order_is_a_function_of_seed_and_epoch(root):
    def order(seed: int, epoch: int) -> list[str]:
        stream = PairStream(root, seed=seed)
        stream.set_epoch(epoch)
        assert stream.epoch == epoch
        return stream_keys(stream)

    assert order(1, 2) == order(1, 2)
    assert len({tuple(order(*place)) for place in ((0, 0), (0, 1), (1, 0), (1, 1))}) == 4


def test_every_iteration_reads_the_next_epoch(root):
    orders = []
    for epoch in range(5):
        stream = PairStream(root, seed=1)
        stream.set_epoch(epoch)
        orders.append(stream_keys(stream))
    stream = PairStream(root, seed=1)
    assert [stream_keys(stream) for _ in range(3)] == orders[:3]
    assert stream.epoch == 2
    # One that was broken off counts; one of which nothing was asked does not.
    assert next(iter(stream))["key"] == orders[3][0]
    iter(stream)
    assert stream_keys(stream) == orders[4]
    # What is chosen holds once, also if it is where the stream is.
    for epoch in (1, 1, 0):
        stream.set_epoch(epoch)
        assert stream.epoch == epoch
        assert stream_keys(stream) == orders[epoch]
    assert stream_keys(stream) == orders[1]
    # Chosen while another is read, it is the next one.
    for item, key in zip(stream, orders[2], strict=True):
        assert item["key"] == key
        stream.set_epoch(4)
    assert stream_keys(stream) == orders[4]


def test_a_dataloader_without_workers_moves_the_stream_on(root):
    loader = DataLoader(PairStream(root, seed=1, transform=key_of), batch_size=None)
    stream = PairStream(root, seed=1, transform=key_of)
    assert [list(loader) for _ in range(3)] == [list(stream) for _ in range(3)]


@pytest.mark.parametrize("persistent", [False, True])
def test_workers_of_a_dataloader_read_an_epoch_once_unless_it_is_chosen_again(root, persistent):
    stream = PairStream(root, seed=1, transform=key_of)
    options = {"num_workers": 2, "persistent_workers": persistent, "timeout": 120}
    loader = DataLoader(stream, batch_size=None, **options)
    first = list(loader)
    again = r"epoch 0 was read already.* call set_epoch before every iteration, or take a gends\.P"
    for _ in range(2):
        with pytest.raises(RuntimeError, match=again):
            list(loader)
    loader = DataLoader(stream, batch_size=None, **options)
    stream.set_epoch(0)
    assert list(loader) == first
    assert sorted(stream) == sorted(first)  # here the next epoch comes
    assert stream.epoch == 1
    with pytest.raises(RuntimeError, match="epoch 1 was read already"):
        list(loader)
    stream.set_epoch(1)
    next(iter(DataLoader(stream, batch_size=None, num_workers=1)))
    with pytest.raises(RuntimeError, match="epoch 1 was read already"):
        next(iter(DataLoader(stream, batch_size=None, num_workers=1)))


def test_what_no_epoch_changes_may_be_read_again_by_workers(root, keys):
    stream = PairStream(root, shuffle=False, transform=key_of)
    loader = DataLoader(stream, batch_size=None, num_workers=1, timeout=120)
    assert list(loader) == list(loader) == keys
    cropped = PairStream(root, shuffle=False, transform=key_of, augment=Augment(crop=16))
    loader = DataLoader(cropped, batch_size=None, num_workers=1, timeout=120)
    assert list(loader) == keys
    with pytest.raises(RuntimeError, match="epoch 0 was read already"):
        list(loader)


def test_more_ranks_than_pairs_are_refused(root):
    few = {"degradations": ["haze"], "split": "test"}
    count = len(PairDataset(root, **few))
    for rank in range(count):
        assert len(stream_keys(PairStream(root, rank=rank, num_ranks=count, **few))) == 1
    told = rf"{count} pairs in an epoch are fewer than {count + 1} ranks.*mix=\"gends\" and length="
    with pytest.raises(ValueError, match=told):
        PairStream(root, num_ranks=count + 1, **few)
    drawn = {"mix": "gends", "length": count + 1}
    parts = [
        stream_keys(PairStream(root, rank=rank, num_ranks=count + 1, **drawn, **few))
        for rank in range(count + 1)
    ]
    assert [len(part) for part in parts] == [1] * (count + 1)


def test_without_shuffling_the_order_is_that_of_the_manifest(root, keys):
    assert stream_keys(PairStream(root, shuffle=False)) == keys
    parts = [stream_keys(PairStream(root, shuffle=False, rank=r, num_ranks=2)) for r in (0, 1)]
    assert parts == [keys[: len(keys) // 2 * 2 : 2], keys[1::2]]


@pytest.mark.parametrize("num_ranks", [1, 2, 3, 7])
def test_ranks_share_an_epoch_equally(root, keys, num_ranks):
    streams = [PairStream(root, seed=5, rank=r, num_ranks=num_ranks) for r in range(num_ranks)]
    parts = [stream_keys(stream) for stream in streams]
    assert {len(part) for part in parts} == {len(streams[0])} == {len(keys) // num_ranks}
    union = [key for part in parts for key in part]
    assert len(set(union)) == len(union)
    assert len(keys) - len(union) < num_ranks
    # Which rank reads a pair depends on the number of ranks; the order of all does not.
    whole = stream_keys(PairStream(root, seed=5))
    assert [part[0] for part in parts] == whole[:num_ranks]


@pytest.mark.parametrize("num_workers", [1, 2, 3])
def test_ranks_and_their_workers_cover_each_pair_once(root, keys, num_workers):
    found = []
    for rank in (0, 1):
        stream = PairStream(root, seed=9, rank=rank, num_ranks=2, transform=key_of)
        loader = DataLoader(stream, batch_size=None, num_workers=num_workers, timeout=120)
        mine = list(loader)
        assert len(mine) == len(keys) // 2
        stream.set_epoch(0)
        assert sorted(mine) == sorted(stream)
        found += mine
    assert len(set(found)) == len(found) == len(keys) // 2 * 2


def test_persistent_workers_see_the_next_epoch(root, keys):
    stream = PairStream(root, seed=2, transform=key_of)
    loader = DataLoader(
        stream, batch_size=None, num_workers=1, persistent_workers=True, timeout=120
    )
    epochs = []
    for epoch in (0, 1, 2):
        stream.set_epoch(epoch)
        epochs.append(list(loader))
        stream.set_epoch(epoch)
        assert epochs[-1] == list(stream)
    assert len(set(map(tuple, epochs))) == 3
    assert all(sorted(epoch) == keys for epoch in epochs)


@pytest.mark.slow
def test_spawned_workers_get_the_epoch(root):
    stream = PairStream(root, seed=2, transform=key_of)
    stream.set_epoch(3)
    loader = DataLoader(
        stream, batch_size=None, num_workers=1, multiprocessing_context="spawn", timeout=120
    )
    found = list(loader)
    stream.set_epoch(3)
    assert found == list(stream)


def test_bad_arguments_are_named(root):
    for rank, num_ranks in ((1, 1), (-1, 2), (0, 0)):
        with pytest.raises(ValueError, match=rf"rank must be .*, got {rank} of {num_ranks}"):
            PairStream(root, rank=rank, num_ranks=num_ranks)
    with pytest.raises(ValueError, match="shards_in_buffer must be at least 1, got 0"):
        PairStream(root, shards_in_buffer=0)
    with pytest.raises(ValueError, match="no shard to read yet"):
        PairStream(Path(tempfile.gettempdir()) / "no such root")
