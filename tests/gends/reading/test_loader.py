from __future__ import annotations

import contextlib
import gc
import itertools
import json
import re
import shutil
from collections import UserDict
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gends import (
    Augment,
    GrowingLoader,
    GrowingStream,
    PairDataset,
    PairLoader,
    PairStream,
)
from gends.pipeline.format.damage import DamagedPairWarning, PairError
from gends.pipeline.format.manifest import shard_name
from gends.pipeline.storage.opening import open_store
from gends.reading.batches import WorkerBatch

pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-thread:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
]

key_of = itemgetter("key")


@pytest.fixture(scope="module")
def root(finished):
    return finished.store.root


@pytest.fixture(scope="module")
def keys(root):
    return PairDataset(root).rows["key"].to_pylist()


def batches_of(loader: PairLoader) -> list[list[str]]:
    return [batch["key"] for batch in loader]


def flat(batches) -> list[str]:
    return [key for batch in batches for key in batch]


def test_batches_are_the_stream_in_pieces(root, keys):
    stream = PairStream(root, seed=4)
    items = list(PairStream(root, seed=4))
    loader = PairLoader(stream, batch_size=5)
    found = list(loader)
    assert len(found) == len(loader) == -(-len(keys) // 5)
    assert flat(batch["key"] for batch in found) == [item["key"] for item in items]
    assert found[0].keys() == items[0].keys()
    first = found[0]
    assert first["gt"].dtype == torch.uint8
    assert first["gt"].shape == (5, 64, 64, 3)
    for number, item in enumerate(items[:5]):
        for part in ("gt", "lq"):
            assert np.array_equal(first[part][number], item[part])
        assert first["mu"][number] == np.float32(item["mu"])
        assert first["caption"][number] == item["caption"]
    whole = PairLoader(PairStream(root, seed=4), batch_size=5, drop_last=True)
    assert len(list(whole)) == len(whole) == len(keys) // 5


@pytest.mark.parametrize("preset", ["plain", "tensor", "basicsr", "promptir", "diffplugin"])
def test_workers_change_nothing(root, preset):
    augment = Augment(crop=32, flip=True, rotate=True)

    def run(num_workers: int) -> list[list[torch.Tensor]]:
        stream = PairStream(root, seed=1, rank=1, num_ranks=2, augment=augment, preset=preset)
        loader = PairLoader(stream, batch_size=4, num_workers=num_workers)
        epochs = []
        for epoch in (0, 3):
            loader.set_epoch(epoch)
            epochs.append([_tensors(batch) for batch in loader])
        assert not torch.equal(epochs[0][0][0], epochs[1][0][0])
        return epochs[0] + epochs[1]

    alone, others = run(0), run(3)
    assert len(alone) == len(others)
    for one, other in zip(alone, others, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def _tensors(batch) -> list[torch.Tensor]:
    values = batch.values() if isinstance(batch, dict) else batch
    return [value for value in values if isinstance(value, torch.Tensor)]


@pytest.fixture(scope="module")
def loaders(root):
    """For each mix four loaders, to be given ranks and batch sizes."""
    return {
        mix: [PairLoader(PairStream(root, seed=2, mix=mix)) for _ in range(4)]
        for mix in (None, "gends")
    }


@settings(max_examples=40)
@given(
    mix=st.sampled_from([None, "gends"]),
    epoch=st.integers(0, 3),
    # Ranks, batch size, and steps until the stop; the last goes on to the end.
    runs=st.lists(
        st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(0, 4)), min_size=1, max_size=6
    ),
)
def test_any_history_of_stops_sees_each_pair_once(loaders, keys, mix, epoch, runs):
    whole = loaders[mix][0].stream
    whole.set_epoch(epoch)
    order = [keys[index] for index in whole.order()]
    state, seen = {**whole.state_dict(), "consumed": 0}, []
    for number, (num_ranks, batch_size, steps) in enumerate(runs, 1):
        parts, states = [], []
        for rank, loader in enumerate(loaders[mix][:num_ranks]):
            loader.stream.rank, loader.stream.num_ranks = rank, num_ranks
            loader._batches.batch_size = batch_size
            loader.load_state_dict(state)
            loader.set_epoch(epoch)  # and not the next one, if nothing is left for these ranks
            batches = itertools.islice(loader, None if number == len(runs) else steps)
            parts.append([batch["key"] for batch in batches])
            states.append(loader.state_dict())
        assert len({tuple(map(len, part)) for part in parts}) == 1
        seen += flat(flat(parts))
        assert all(found == states[0] for found in states)
        state = json.loads(json.dumps(states[0]))
        if state["consumed"] == len(order):
            break
        assert sorted(seen) == sorted(order[: state["consumed"]])
    # At the end the few that do not divide by the number of ranks are left out.
    assert state["consumed"] == len(order)
    assert len(order) - len(seen) < num_ranks
    assert sorted(seen) == sorted(order[: len(seen)])


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_state_counts_what_was_handed_over(root, keys, num_workers):
    loader = PairLoader(PairStream(root, seed=8), batch_size=3, num_workers=num_workers)
    whole, *_ = epochs = [batches_of(loader) for _ in range(3)]
    loader.set_epoch(0)
    for number, _ in enumerate(loader, 1):
        assert loader.state_dict()["consumed"] == min(3 * number, len(keys))
        if number == 4:
            break
    state = loader.state_dict()
    # In this process, where persistent workers have read ahead, and in another one:
    for other in (loader, PairLoader(PairStream(root, seed=8), batch_size=3)):
        other.load_state_dict(state)
        assert other.state_dict() == state
        assert batches_of(other) == whole[4:]
        # The next iteration is whole again, and so is one that was broken off.
        for epoch in (1, 2):
            assert other.stream.epoch == epoch - 1
            assert batches_of(other) == epochs[epoch]
        other.set_epoch(0)
        next(iter(other))
        assert batches_of(other) == epochs[1]


def test_the_state_of_a_finished_epoch_leaves_nothing_of_it(root, keys):
    loader = PairLoader(PairStream(root, num_ranks=2), batch_size=4)
    first = batches_of(loader)
    state = loader.state_dict()
    other = PairLoader(PairStream(root, num_ranks=2), batch_size=4)
    other.load_state_dict(state)
    other.set_epoch(0)  # as the loop of a trainer that goes on does
    assert batches_of(other) == []
    other.set_epoch(1)
    assert other.state_dict()["consumed"] == 0
    assert len(flat(batches_of(other))) == len(flat(first)) == len(keys) // 2


@pytest.mark.parametrize("num_workers", [0, 2])
def test_every_iteration_reads_the_next_epoch(root, num_workers):
    def orders() -> PairLoader:
        stream = PairStream(root, seed=3, rank=1, num_ranks=2)
        return PairLoader(stream, batch_size=4, num_workers=num_workers)

    chosen, loader = orders(), orders()
    expected = []
    for epoch in range(4):
        chosen.set_epoch(epoch)
        expected.append(batches_of(chosen))
    assert [batches_of(loader) for _ in range(2)] == expected[:2]
    for batch in loader:
        assert batch["key"] == expected[2][0]
        break
    assert batches_of(loader) == expected[3]


@pytest.mark.parametrize("drop_last", [False, True])
def test_after_the_state_at_the_end_of_an_epoch_comes_the_next_one(root, keys, drop_last):
    def loader() -> PairLoader:
        stream = PairStream(root, seed=3, num_ranks=3)
        return PairLoader(stream, batch_size=4, drop_last=drop_last)

    whole = loader()
    epochs = [batches_of(whole) for _ in range(2)]
    stopped = loader()
    # The last batch was handed over, and nobody asked for one more.
    _ = list(itertools.islice(stopped, len(epochs[0])))
    assert stopped.state_dict()["consumed"] < len(keys)
    resumed = loader()
    resumed.load_state_dict(stopped.state_dict())
    assert batches_of(resumed) == epochs[1]
    resumed.load_state_dict(stopped.state_dict())
    resumed.set_epoch(0)
    assert batches_of(resumed) == []
    assert batches_of(resumed) == epochs[1]


def test_a_loader_without_a_single_batch_is_refused(root):
    stream = PairStream(root, split="test", num_ranks=2)
    told = rf"each rank reads {len(stream)} pairs of an epoch, less than batch_size 99"
    with pytest.raises(ValueError, match=told):
        PairLoader(stream, batch_size=99, drop_last=True)
    assert len(batches_of(PairLoader(stream, batch_size=99))) == 1


def test_crops_go_on_where_they_were(root):
    def loader() -> PairLoader:
        augment = Augment(crop=24, flip=True, rotate=True)
        return PairLoader(PairStream(root, augment=augment, preset="tensor"), batch_size=4)

    whole = [batch["lq"] for batch in loader()]
    first = loader()
    next(iter(first))
    second = loader()
    second.load_state_dict(first.state_dict())
    rest = [batch["lq"] for batch in second]
    assert all(torch.equal(a, b) for a, b in zip(whole[1:], rest, strict=True))


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 1},
        {"mix": "gends"},
        {"shards_in_buffer": 1},
        {"shuffle": False},
        {"degradations": ["haze"]},
    ],
)
def test_a_state_of_another_stream_is_refused(root, changed):
    state = PairStream(root).state_dict()
    with pytest.raises(ValueError, match=r"the state is of another stream .*order '"):
        PairStream(root, **changed).load_state_dict(state)
    PairStream(root, num_ranks=3, preset="tensor").load_state_dict(state)


@pytest.mark.parametrize(
    "wrong",
    [{"consumed": -5}, {"consumed": 99}, {"consumed": 1.0}, {"epoch": -1}, {"epoch": "0"}],
)
def test_a_state_that_no_stream_writes_is_refused(root, wrong):
    stream = PairStream(root)
    assert len(stream) < 99
    state = stream.state_dict()
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"a state with {name} {re.escape(repr(value))}: "):
        stream.load_state_dict(state | wrong)
    del state[name]
    with pytest.raises(ValueError, match=f"no stream writes a state with {name} None: "):
        stream.load_state_dict(state)
    assert len(list(stream)) == len(stream)


def test_a_transform_makes_the_items_that_are_collated(root):
    stream = PairStream(root, preset="tensor", transform=lambda item: (item["lq"], item["key"]))
    lq, keys = next(iter(PairLoader(stream, batch_size=3, num_workers=1)))
    assert lq.shape == (3, 3, 64, 64)
    plain = [item["key"] for item in PairStream(root)][:3]
    assert list(keys) == plain


class Both(NamedTuple):
    lq: torch.Tensor
    name: str


def nested(item: dict) -> dict:
    twice = Both(item["lq"], item["key"])
    return {"both": twice, "more": [(item["gt"], item["mu"])], "last": UserDict(gt=item["gt"])}


def test_what_a_transform_makes_goes_to_the_device_and_into_pinned_memory(root, monkeypatch):
    stream = PairStream(root, preset="tensor", transform=nested)
    found = next(iter(PairLoader(stream, batch_size=3, device="meta")))
    assert isinstance(found["both"], Both)
    stream.set_epoch(0)
    assert list(found["both"].name) == [item["both"].name for item in stream][:3]
    assert isinstance(found["last"], UserDict)
    ((gt, mu),) = found["more"]
    tensors = [found["both"].lq, gt, mu, found["last"]["gt"]]
    assert [tensor.device.type for tensor in tensors] == ["meta"] * 4
    assert [tensor.shape for tensor in tensors] == [(3, 3, 64, 64), (3, 3, 64, 64), (3,), gt.shape]
    # Memory can be pinned only where there is a GPU.
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor + 1)
    batch = WorkerBatch(
        count=1, damaged=[], items=[{"lq": torch.zeros(1), "key": "a"}]
    ).pin_memory()
    assert batch.items == [{"lq": torch.ones(1), "key": "a"}]


begun: list[int] = []


def of_this_process(item: dict) -> dict[str, int]:
    return {"frozen": gc.get_freeze_count(), "begun": len(begun)}


def test_workers_collect_no_garbage_in_what_they_were_forked_with(root):
    stream = PairStream(root, transform=of_this_process)
    alone = next(iter(PairLoader(stream)))
    (forked, *_) = PairLoader(stream, num_workers=1, worker_init_fn=begun.append)
    assert forked["frozen"].min() > alone["frozen"].max() + 10_000
    # What a user wants done in workers is done, too.
    assert forked["begun"].tolist() == [1] * 8
    assert begun == []


def test_pictures_of_different_sizes_need_a_crop(
    root, found_dataset, build_dataset, photos, tmp_path
):
    build_dataset(photos, tmp_path / "small", resolution=32, min_side=32)
    roots = [root, tmp_path / "small"]
    with pytest.raises(ValueError, match=r"different sizes \(32x32, 64x64\) .*augment=Augment"):
        list(PairLoader(PairStream(roots)))
    batches = list(PairLoader(PairStream(roots, augment=Augment(crop=32)), batch_size=6))
    assert all(batch["gt"].shape[1:] == (32, 32, 3) for batch in batches)
    with pytest.raises(ValueError, match=r"crop 33 is larger than .* 32.*field\('height'\) >= 33"):
        PairStream(roots, augment=Augment(crop=33))


def damage(dataset, numbers: list[int]) -> list[str]:
    """Flip a bit in the lq of some pairs; their keys."""
    rows = PairDataset(dataset.store.root).rows.to_pylist()
    for number in numbers:
        row = rows[number]
        path = dataset.store.path(shard_name(row["shard"]))
        data = bytearray(path.read_bytes())
        data[row["lq_offset"] + row["lq_size"] // 2] ^= 1
        path.write_bytes(data)
    return [rows[number]["key"] for number in numbers]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_damaged_pairs_are_skipped_and_counted(copied, keys, num_workers):
    bad = damage(copied, [2, 3, 9])
    stream = PairStream(copied.store.root, on_damage="skip", shuffle=False)
    loader = PairLoader(stream, batch_size=4, num_workers=num_workers)
    with pytest.warns(DamagedPairWarning, match=r"skipped .*\.lq in shards/0000") as caught:
        batches = batches_of(loader)
    assert all(key in str(warning.message) for key, warning in zip(bad, caught, strict=True))
    assert len(caught) == loader.damaged == 3
    assert flat(batches) == [key for key in keys if key not in bad]
    assert [len(batch) for batch in batches[:3]] == [2, 4, 3]
    assert len(batches) == len(loader)
    loader = PairLoader(PairStream(copied.store.root), num_workers=min(num_workers, 1))
    with pytest.raises(PairError, match="not those that the manifest recorded"):
        list(loader)


def test_ranks_take_as_many_steps_whatever_is_damaged(copied, keys):
    bad = damage(copied, [0, 4, 6])
    lengths = []
    for rank in (0, 1):
        stream = PairStream(
            copied.store.root, on_damage="skip", shuffle=False, rank=rank, num_ranks=2
        )
        with pytest.warns(DamagedPairWarning) if rank == 0 else contextlib.nullcontext():
            batches = batches_of(PairLoader(stream, batch_size=1))
        lengths.append(len(batches))
        assert not set(flat(batches)) & set(bad)
        if rank == 0:  # the next whole one stands in
            assert [batch[0] for batch in batches[:5]] == [keys[n] for n in (2, 2, 8, 8, 8)]
    assert lengths[0] == lengths[1]


@pytest.mark.filterwarnings("ignore::gends.pipeline.format.damage.DamagedPairWarning")
def test_an_epoch_that_ends_in_nothing_but_damage_is_an_error(copied, keys):
    shutil.rmtree(copied.store.path("shards"))
    loader = PairLoader(PairStream(copied.store.root, on_damage="skip"))
    with pytest.raises(PairError, match=r"no whole pair is left in the epoch: .*No such file"):
        list(loader)


@pytest.mark.filterwarnings("ignore::gends.pipeline.format.damage.DamagedPairWarning")
def test_a_growing_dataset_comes_in_batches(copied, keys):
    bad = damage(copied, [1])
    stream = GrowingStream(copied.store.root, poll=0.05, timeout=60, on_damage="skip")
    for num_workers in (0, 2):
        loader = GrowingLoader(stream, batch_size=4, num_workers=num_workers)
        batches = batches_of(loader)
        assert sorted(flat(batches)) == [key for key in keys if key not in bad]
        assert sum(len(batch) < 4 for batch in batches) <= max(num_workers, 1)
        # Trainers that keep the state of a loader do so where it has one.
        assert not hasattr(loader, "state_dict")
        with pytest.raises(TypeError, match=r"has no len\(\)"):
            len(loader)
    assert loader.damaged == 2


@pytest.mark.slow
def test_spawned_workers_read_a_bucket(finished, keys, bucket, tmp_path):
    put_all(finished.store, open_store(bucket))
    stream = PairStream(bucket, seed=1, cache=tmp_path / "cache")
    expected = [keys[index] for index in stream.order()]
    loader = PairLoader(stream, batch_size=8, num_workers=1, timeout=120)
    assert flat(batches_of(loader)) == expected
    assert flat(batches_of(loader)) == [keys[index] for index in stream.order()] != expected
    assert flat(batches_of(PairLoader(PairStream(bucket, seed=1)))) == expected


def put_all(source, target) -> None:
    for path in source.root.rglob("*"):
        if path.is_file() and "work" not in path.parts:
            with target.publish(str(path.relative_to(source.root))) as file:
                file.write(path.read_bytes())


def test_bad_arguments_are_named(root):
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        PairLoader(PairStream(root), batch_size=0)
