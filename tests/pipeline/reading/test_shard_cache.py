from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import shutil
import signal

import pytest

from gends import PairDataset
from gends.pipeline.format.damage import PairError
from gends.pipeline.format.manifest import sealed_shards, shard_name
from gends.pipeline.reading import shard_cache
from gends.pipeline.reading.shard_cache import ShardCache
from gends.pipeline.storage.opening import open_store
from gends.pipeline.storage.store import StorageError


def copies(folder) -> list[str]:
    return sorted(path.name for path in folder.glob("*.tar"))


@pytest.fixture
def store(tmp_path):
    """Five "shards" of a thousand bytes."""
    found = open_store(tmp_path / "root")
    for shard in range(5):
        put(found, shard, bytes([shard]) * 1000)
    return found


def put(store, shard: int, data: bytes) -> None:
    with store.publish(shard_name(shard)) as file:
        file.write(data)


def test_the_least_recently_opened_make_room(store, tmp_path):
    folder = tmp_path / "cache"
    cache = ShardCache(folder, 3000)
    for shard in range(4):
        assert cache.read_range(store, shard_name(shard), 10, 5) == bytes([shard]) * 5
        assert sum(path.stat().st_size for path in folder.glob("*.tar")) <= 3000
    assert len(copies(folder)) == 3
    # What a process has open it reads on, also where others threw the copy out.
    assert ShardCache(folder, 3000).read_range(store, shard_name(0), 0, 1) == b"\0"
    assert len(copies(folder)) == 3
    shutil.rmtree(store.root)
    assert cache.read_range(store, shard_name(1), 999, 5) == b"\1"
    for shard in (1, 2, 3):
        with pytest.raises(FileNotFoundError):
            ShardCache(folder, 3000).read_range(store, shard_name(shard), 0, 1)


def room_taken(folder) -> int:
    """Bytes of the copies that are there, and of those without a name that this process holds."""
    found = {path.stat().st_ino: path.stat().st_size for path in folder.glob("*.tar")}
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if str(folder) in os.readlink(f"/proc/self/fd/{descriptor}"):
                facts = os.fstat(int(descriptor))
                found[facts.st_ino] = facts.st_size
    return sum(found.values())


def test_copies_that_were_thrown_out_are_let_go(store, tmp_path):
    folder = tmp_path / "cache"
    cache, other = ShardCache(folder, 2000), ShardCache(folder, 2000)
    for shard in range(5):
        cache.read_range(store, shard_name(shard), 0, 1)
        assert room_taken(folder) <= 2000
    for shard in range(2):  # what `cache` has open is thrown out by another
        other.read_range(store, shard_name(shard), 0, 1)
    assert room_taken(folder) == 4000
    cache.read_range(store, shard_name(1), 0, 1)
    assert room_taken(folder) == 2000


def test_copies_are_shared_and_fetched_once(store, tmp_path, monkeypatch):
    fetched: list[str] = []
    whole = type(store).copy_to
    monkeypatch.setattr(
        type(store),
        "copy_to",
        lambda self, name, file: (fetched.append(name), whole(self, name, file)),
    )
    caches = [ShardCache(tmp_path / "cache", 10_000) for _ in range(3)]
    for cache in (*caches, pickle.loads(pickle.dumps(caches[0]))):
        for shard in range(3):
            assert cache.read_range(store, shard_name(shard), 0, 2000) == bytes([shard]) * 1000
    assert fetched == [shard_name(shard) for shard in range(3)]


def test_a_shard_that_was_made_again_is_fetched_again(store, tmp_path):
    folder = tmp_path / "cache"
    assert ShardCache(folder, 10_000).read_range(store, shard_name(0), 0, 1) == b"\0"
    put(store, 0, b"new" * 300)
    assert ShardCache(folder, 10_000).read_range(store, shard_name(0), 0, 3) == b"new"


def test_a_folder_stays_where_it_was_when_the_process_moves(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cache = ShardCache("cache", 10_000)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    cache.read_range(store, shard_name(0), 0, 1)
    assert not (tmp_path / "elsewhere" / "cache").exists()
    assert any((tmp_path / "cache").glob("*.tar"))


def test_shards_that_do_not_fit_are_refused(store, tmp_path):
    cache = ShardCache(tmp_path / "cache", 999)
    with pytest.raises(
        StorageError, match=r"000000\.tar has 1000 bytes, more than cache_bytes=999"
    ):
        cache.read_range(store, shard_name(0), 0, 1)
    assert copies(tmp_path / "cache") == []
    with pytest.raises(ValueError, match="cache_bytes must be at least 1, got 0"):
        ShardCache(tmp_path, 0)


def read_all(url: str, folder, most_bytes: int, results) -> None:
    cache, store = ShardCache(folder, most_bytes), open_store(url)
    right = all(
        cache.read_range(store, shard_name(n % 5), 0, 1000) == bytes([n % 5]) * 1000
        for n in range(40)
    )
    results.put(right)


def test_processes_share_a_folder_that_is_too_small(store, tmp_path):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    arguments = (store.url, tmp_path / "cache", 2000, results)
    processes = [context.Process(target=read_all, args=arguments, daemon=True) for _ in range(3)]
    for process in processes:
        process.start()
    assert all(results.get(timeout=120) for _ in processes)
    for process in processes:
        process.join()
    assert len(copies(tmp_path / "cache")) <= 2
    assert not list((tmp_path / "cache").glob(".*"))


def fetch_and_hang(url: str, folder, begun) -> None:
    store = open_store(url)

    def hang(name: str, file) -> None:
        begun.set()
        signal.pause()

    store.copy_to = hang
    ShardCache(folder, 2500).read_range(store, shard_name(0), 0, 1)


def test_what_a_killed_process_left_behind_is_cleared_away(store, tmp_path, monkeypatch):
    # Shards may share a lock: here none does, or this process waits for the one that hangs.
    monkeypatch.setattr(shard_cache, "LOCKS", 2**128)
    context = multiprocessing.get_context("spawn")
    begun, folder = context.Event(), tmp_path / "cache"
    arguments = (store.url, folder, begun)
    process = context.Process(target=fetch_and_hang, args=arguments, daemon=True)
    process.start()
    assert begun.wait(60)
    assert len(list(folder.glob(".*"))) == 1
    cache = ShardCache(folder, 2500)
    cache.read_range(store, shard_name(1), 0, 1)
    cache.read_range(store, shard_name(2), 0, 1)
    assert len(copies(folder)) == 1  # what is being fetched counts, too
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    cache.read_range(store, shard_name(3), 0, 1)
    assert not list(folder.glob(".*"))
    assert len(copies(folder)) == 2


def test_a_damaged_copy_is_fetched_again(finished, tmp_path):
    root, folder = finished.store.root, tmp_path / "cache"
    first = [item["lq"].tobytes() for item in PairDataset(root, cache=folder)]
    assert len(copies(folder)) == len(sealed_shards(finished.store))
    for path in folder.glob("*.tar"):
        path.write_bytes(bytes(path.stat().st_size))
    assert [item["lq"].tobytes() for item in PairDataset(root, cache=folder)] == first


def test_a_folder_that_cannot_be_used_is_said_and_no_damage(finished, tmp_path):
    root, folder = finished.store.root, tmp_path / "cache"
    folder.write_text("a file")
    says = f"{folder}: no cache can be kept there .*; name a folder on a local disk by cache="
    for on_damage in ("raise", "skip"):
        with pytest.raises(StorageError, match=says):
            PairDataset(root, on_damage=on_damage, cache=folder)
    folder.unlink()
    dataset = PairDataset(root, on_damage="skip", cache=folder)
    shutil.rmtree(folder)
    assert dataset[0]["key"] == dataset.rows["key"][0].as_py()  # made again
    shutil.rmtree(folder)
    folder.write_text("a file")
    with pytest.raises(StorageError, match=says):
        list(dataset)
    assert dataset.damaged == 0


def test_a_shard_that_is_lost_is_damage_with_a_cache_too(copied, tmp_path):
    lost = shard_name(sealed_shards(copied.store)[0])
    copied.store.remove(lost)
    with pytest.raises(PairError, match=rf"{lost}.*No such file"):
        PairDataset(copied.store.root, cache=tmp_path / "cache")[0]


def test_a_bucket_is_read_through_the_cache(finished, bucket, tmp_path):
    store = open_store(bucket)
    for path in finished.store.root.rglob("*"):
        if path.is_file() and path.parent.name in ("shards", "manifest", finished.store.root.name):
            with store.publish(str(path.relative_to(finished.store.root))) as file:
                file.write(path.read_bytes())
    expected = [item["gt"].tobytes() for item in PairDataset(finished.store.root)]
    cached = PairDataset(bucket, cache=tmp_path / "cache")
    assert [item["gt"].tobytes() for item in cached] == expected
    assert [item["gt"].tobytes() for item in PairDataset(bucket)] == expected
    assert len(copies(tmp_path / "cache")) == len(sealed_shards(finished.store))
    # The copies suffice: what cannot be asked for any more is read from open files.
    for shard in sealed_shards(finished.store):
        store.remove(shard_name(shard))
    assert [item["gt"].tobytes() for item in cached] == expected
