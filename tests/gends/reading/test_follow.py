from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from operator import itemgetter
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader

from gends import GrowingStream, PairDataset, PairStream
from gends.pipeline.format.damage import DamagedPairWarning
from gends.pipeline.format.identity import IDENTITY_NAME, IdentityError
from gends.pipeline.format.manifest import manifest_name, sealed_shards, shard_name
from gends.pipeline.keeping.dataset import open_dataset
from gends.pipeline.keeping.retry import reopen
from gends.pipeline.reading.reader import read_manifest
from gends.pipeline.storage.opening import open_store
from gends.reading.follow import Follower

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


@pytest.fixture(params=["local", "bucket"])
def place(request, tmp_path):
    """Where nothing is yet."""
    return str(tmp_path / "new") if request.param == "local" else request.getfixturevalue("bucket")


def put(source, target, *names: str) -> None:
    for name in names:
        with target.publish(name) as file:
            file.write(source.read(name))


def put_shard(source, target, shard: int, new: int | None = None) -> None:
    new = shard if new is None else new
    for name in (shard_name, manifest_name):
        with target.publish(name(new)) as file:
            file.write(source.read(name(shard)))


def following(root, **options) -> GrowingStream:
    return GrowingStream(root, poll=0.01, timeout=60, transform=key_of, **options)


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_finished_dataset_is_read_in_the_order_of_one_that_is_not_followed(root, shuffle):
    for epoch in (0, 1):
        streams = [following(root, shuffle=shuffle), PairStream(root, shuffle=shuffle)]
        for stream in streams:
            stream.set_epoch(epoch)
        followed, plain = streams
        assert list(followed) == [item["key"] for item in plain]


def test_a_stream_waits_for_the_root_and_for_every_shard_and_ends_after_the_last(
    finished, keys, place
):
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.extend(following(place)))
    reader.start()
    target, shards = open_store(place), sealed_shards(finished.store)
    time.sleep(0.1)
    put(finished.store, target, IDENTITY_NAME)
    url = finished.store.url
    of_shard = [set(read_manifest(url, shards=[n])["key"].to_pylist()) for n in shards]
    seen: set[str] = set()
    for shard in reversed(shards):
        assert reader.is_alive()
        assert set(found) == seen
        put_shard(finished.store, target, shard)
        seen |= of_shard[shard]
        deadline = time.monotonic() + 60
        while len(found) < len(seen) and time.monotonic() < deadline:
            time.sleep(0.01)
    reader.join(60)
    assert not reader.is_alive()
    assert sorted(found) == keys


@settings(max_examples=12)
@given(data=st.data())
def test_readers_share_a_growing_dataset_whatever_the_order(finished, keys, data):
    shards = sealed_shards(finished.store)
    places = data.draw(st.integers(1, len(shards) + 2))
    order = data.draw(st.permutations(shards))
    with tempfile.TemporaryDirectory() as folder:
        target = open_store(folder)
        follower = Follower(folder, poll=0.002, timeout=60)
        found: list[list[str]] = [[] for _ in range(places)]

        def read(place: int) -> None:
            pairs = follower.attempts(place, places, lambda rows: np.arange(len(rows)), (0,))
            found[place].extend(map(key_of, pairs))

        readers = [threading.Thread(target=read, args=(place,)) for place in range(places)]
        for reader in readers:
            reader.start()
        put(finished.store, target, IDENTITY_NAME)
        for shard in order:
            put_shard(finished.store, target, shard)
            time.sleep(data.draw(st.sampled_from([0, 0.01])))
        for reader in readers:
            reader.join(60)
    assert sorted(itertools.chain.from_iterable(found)) == keys


def test_ranks_and_their_workers_share_the_shards_by_number(root, keys):
    shard_of = dict(zip(keys, PairDataset(root).rows["shard"].to_pylist(), strict=True))
    found = []
    for rank in (0, 1):
        stream = following(root, rank=rank, num_ranks=2)
        mine = list(DataLoader(stream, batch_size=None, num_workers=2, timeout=120))
        assert {shard_of[key] % 2 for key in mine} <= {rank}
        found += mine
    assert sorted(found) == keys


def test_filters_apply_and_what_is_not_made_is_named(root):
    some = {"degradations": ["snow", "haze"], "split": "test"}
    expected = [item["key"] for item in PairDataset(root, **some)]
    assert sorted(following(root, **some)) == expected
    with pytest.raises(ValueError, match=r"no pair with degradation \['fog'\]; there are \['haze'"):
        list(following(root, degradations=["fog"]))


def test_neither_length_nor_order_is_known(root, keys):
    stream = following(root)
    for sized in (stream, DataLoader(stream, batch_size=None)):
        with pytest.raises(TypeError, match=r"has no len\(\)"):
            len(sized)
        assert len(list(sized)) == len(keys)
    assert not hasattr(stream, "state_dict")


def test_patience_ends(finished, keys, tmp_path):
    stream = GrowingStream(tmp_path / "new", poll=0.01, timeout=0.1, transform=key_of)
    with pytest.raises(TimeoutError, match=r"new: 0 shards sealed, no change for 0 s; .*resume"):
        list(stream)
    target = open_store(tmp_path / "new")
    put(finished.store, target, IDENTITY_NAME)
    put_shard(finished.store, target, 1)
    found = []
    with pytest.raises(TimeoutError, match="1 shards sealed"):
        found.extend(stream)
    assert sorted(found) == sorted(PairStream(tmp_path / "new", transform=key_of))
    assert set(found) < set(keys)
    stream.set_epoch(0)
    with pytest.raises(TimeoutError, match="1 shards sealed"):
        list(DataLoader(stream, batch_size=None, num_workers=1, timeout=60))


def test_shards_that_are_not_of_the_plan_are_not_read(copied, keys):
    put_shard(copied.store, copied.store, 0, new=99)
    assert sorted(following(copied.store.root)) == keys


def test_bad_arguments_and_roots_are_named(root, tmp_path):
    for name in ("poll", "timeout"):
        with pytest.raises(ValueError, match=f"{name} must be above 0 seconds, got 0"):
            GrowingStream(root, **{name: 0})
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        GrowingStream(root, colour=1)
    (tmp_path / IDENTITY_NAME).write_text("{}")
    with pytest.raises(IdentityError, match="format version None"):
        list(following(tmp_path))


def test_damage_is_raised_not_read(copied):
    row = PairDataset(copied.store.root).rows.slice(0, 1).to_pylist()[0]
    with open(copied.store.path(shard_name(row["shard"])), "r+b") as file:
        file.seek(row["lq_offset"] + row["lq_size"] // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(OSError, match=r"000000\.tar: .* not those that the manifest recorded"):
        list(following(copied.store.root))


@pytest.fixture
def damaged(photographs, build_dataset, place, tmp_path):
    """A dataset in which one photograph could not be decoded; it has been mended since."""
    (tmp_path / "clean").mkdir()
    pictures = list(photographs.values())
    for number, pixels in enumerate(pictures):
        Image.fromarray(pixels[:96, :80]).save(tmp_path / "clean" / f"{number}.png")
    good = (tmp_path / "clean" / "2.png").read_bytes()
    (tmp_path / "clean" / "2.png").write_bytes(good[: len(good) // 2])
    dataset = build_dataset(tmp_path / "clean", tmp_path / "first")
    failed = read_manifest(dataset.store.url, status="failed")
    assert set(failed["shard"].to_pylist()) == {1}
    (tmp_path / "clean" / "2.png").write_bytes(good)
    store = open_store(place)
    files = ["dataset.json", "catalog.parquet", "severity_profile.json"]
    put(dataset.store, store, *files)
    for shard in (0, 1):
        put_shard(dataset.store, store, shard)
    return open_dataset(place)


@pytest.mark.parametrize("late", [False, True])
def test_a_shard_that_is_made_again_while_it_is_read_is_never_read_torn(
    damaged, make_units, seal_shard, late
):
    before = read_manifest(damaged.store.url)
    pairs = iter(GrowingStream(damaged.store.url, poll=0.01, timeout=60, shuffle=False))
    found = [next(pairs)]  # the manifests of both shards are known, and only shard 0 is open
    reopen(damaged, 1, set())
    damaged.store.remove(shard_name(1))

    def make() -> None:
        make_units(damaged, damaged.plan.units(1))
        seal_shard(damaged, 1)

    if late:
        maker = threading.Timer(0.5, make)
        maker.start()
    else:
        make()
    found += pairs
    if late:
        maker.join()

    # All that was there when the shard was seen, at other places now; what came is not read.
    assert [item["key"] for item in found] == before["key"].to_pylist()
    after = PairDataset(damaged.store.url)
    assert after.rows.num_rows > before.num_rows
    index = {key: number for number, key in enumerate(after.rows["key"].to_pylist())}
    assert before["lq_offset"].to_pylist()[-1] != after.rows["lq_offset"].to_pylist()[-1]
    for item in found:
        wanted = after[index[item["key"]]]
        assert all(np.array_equal(item[part], wanted[part]) for part in ("gt", "lq"))


def test_a_shard_that_was_made_again_with_a_damaged_manifest_is_skipped_if_asked(copied):
    rows, manifest = read_manifest(copied.store.url), copied.store.path(manifest_name(1))
    others = [row["key"] for row in rows.to_pylist() if row["shard"] != 1]
    pairs = iter(following(copied.store.url, shuffle=False, on_damage="skip"))
    found = [next(pairs)]  # as above
    copied.store.remove(shard_name(1))
    manifest.write_bytes(manifest.read_bytes()[:-100])
    with pytest.warns(DamagedPairWarning, match=r"skipped .*000001\.parquet") as caught:
        found += pairs
    assert found == others
    assert len(caught) == len(rows) - len(others) > 0


def test_a_manifest_may_go_away_at_any_moment(copied, keys):
    store, name = copied.store, manifest_name(1)
    data, ended = store.read(name), threading.Event()

    def come_and_go() -> None:
        while not ended.is_set():
            store.remove(name)
            with store.publish(name, create_only=True) as file:
                file.write(data)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(20):
            assert sorted(following(store.root)) == keys
    finally:
        ended.set()
        thread.join()


@pytest.mark.slow
def test_loader_workers_read_buckets_when_they_are_started_anew(finished, keys, bucket):
    store = open_store(bucket)
    put(finished.store, store, IDENTITY_NAME)
    for shard in sealed_shards(finished.store):
        put_shard(finished.store, store, shard)
    stream, options = following(bucket), {"batch_size": None, "num_workers": 2, "timeout": 120}
    with pytest.raises(RuntimeError, match=r'forked from one .* multiprocessing_context="spawn"'):
        list(DataLoader(stream, multiprocessing_context="fork", **options))
    stream.set_epoch(0)
    loader = DataLoader(stream, multiprocessing_context="spawn", **options)
    assert sorted(loader) == keys


LOADER = """
import sys
from torch.utils.data import DataLoader
from gends import GrowingStream

class Stream(GrowingStream):
    def attempts(self, epoch, info):
        print("ready", flush=True)  # by a worker
        yield from super().attempts(epoch, info)

next(iter(DataLoader(Stream(sys.argv[1], poll=0.1), num_workers=2)))
"""


@pytest.mark.slow
def test_workers_do_not_outlive_a_killed_trainer(tmp_path: Path):
    command = [sys.executable, "-c", LOADER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as trainer:
        assert trainer.stdout is not None
        # Both are at work: torch's own watchdog does not see a trainer die before it looks first.
        assert [trainer.stdout.readline() for _ in range(2)] == ["ready\n"] * 2
        workers = psutil.Process(trainer.pid).children()
        assert len(workers) >= 2
        trainer.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(workers, timeout=60)
    for worker in alive:
        worker.kill()
    assert not alive
