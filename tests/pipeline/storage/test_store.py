"""One contract, two kinds of storage: a disk, and an object store behind a real HTTP server."""

from __future__ import annotations

import errno
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gends.pipeline.storage import bucket as object_store
from gends.pipeline.storage.opening import open_store
from gends.pipeline.storage.store import AlreadyExistsError, StorageError, Store, usable


@pytest.fixture(params=["disk", "s3"])
def store(request, tmp_path) -> Store:
    if request.param == "disk":
        return open_store(tmp_path / "root")
    return open_store(request.getfixturevalue("bucket"))


def put(store: Store, name: str, data: bytes, **options) -> None:
    with store.publish(name, **options) as file:
        file.write(data)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE])
def test_what_this_machine_lacks_is_told_from_what_a_file_lacks(number):
    said = f"^a.tar: {os.strerror(number)}; (let|free|mount) "
    with pytest.raises(StorageError, match=said), usable("a.tar"):
        raise OSError(number, os.strerror(number))
    with pytest.raises(FileNotFoundError), usable("a.tar"):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "a.tar")


def test_a_file_appears_whole_and_only_at_the_end(store):
    with store.publish("shards/000000.tar") as file:
        file.write(b"half")
        file.flush()
        assert not store.exists("shards/000000.tar")
        assert store.names("shards") == []
        file.write(b" and half")
    assert store.read("shards/000000.tar") == b"half and half"
    assert store.size("shards/000000.tar") == 13
    assert store.names("shards") == ["000000.tar"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit, MemoryError])
@pytest.mark.parametrize("create_only", [False, True])
def test_an_exception_leaves_nothing_behind(store, error, create_only):
    def fail() -> None:
        with store.publish("a/b.bin", create_only=create_only) as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert store.names("a") == []


def test_an_exception_leaves_what_was_there(store):
    put(store, "a", b"old")

    def fail() -> None:
        with store.publish("a") as file:
            file.write(b"new")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert store.read("a") == b"old"
    put(store, "a", b"new")
    assert store.read("a") == b"new"


def test_create_only_refuses_a_taken_name(store):
    put(store, "manifest/0", b"first", create_only=True)
    with pytest.raises(AlreadyExistsError, match="manifest/0 exists already"):
        put(store, "manifest/0", b"second", create_only=True)
    assert store.read("manifest/0") == b"first"
    assert store.names("manifest") == ["0"]


def test_of_many_that_create_one_name_one_succeeds(store):
    winners, barrier = [], threading.Barrier(8)

    def create(number: int) -> None:
        barrier.wait()
        try:
            put(store, "lease/1", str(number).encode(), create_only=True)
        except AlreadyExistsError:
            return
        winners.append(number)

    threads = [threading.Thread(target=create, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(winners) == 1
    assert store.read("lease/1") == str(winners[0]).encode()


def test_what_the_check_refuses_is_not_published(store):
    def refuse() -> None:
        assert not store.exists("a/b")
        raise RuntimeError("not any more")

    for create_only in (False, True):
        with pytest.raises(RuntimeError, match="not any more"):
            put(store, "a/b", b"x", create_only=create_only, check=refuse)
    assert store.names("a") == []


@pytest.mark.parametrize("before", [None, b"", b"old"])
def test_with_a_check_only_what_was_there_is_replaced(store, before):
    if before is not None:
        put(store, "shards/0", before)
    put(store, "shards/0", b"mine", check=lambda: None)
    assert store.read("shards/0") == b"mine"
    if before is None:
        store.remove("shards/0")
    with pytest.raises(AlreadyExistsError, match="shards/0"):
        put(store, "shards/0", b"late", check=lambda: put(store, "shards/0", b"theirs"))
    assert store.read("shards/0") == b"theirs"
    put(store, "shards/0", b"", check=lambda: None)
    assert store.read("shards/0") == b""
    assert store.names("shards") == ["0"]


def test_what_is_too_big_for_a_condition_is_compared_before(bucket, monkeypatch):
    monkeypatch.setattr(object_store, "MOST_AT_ONCE", 3)
    store = open_store(bucket)
    put(store, "a", b"1234", check=lambda: None)
    with pytest.raises(AlreadyExistsError, match="a: another process put it"):
        put(store, "a", b"5678", check=lambda: put(store, "a", b"theirs"))
    assert store.read("a") == b"theirs"


def test_what_was_swept_away_while_it_was_written_is_not_published(tmp_path):
    store = open_store(tmp_path)

    def put_swept(**options) -> None:
        with store.publish("a/b", **options) as file:
            file.write(b"x")
            store.sweep("a")

    for options in ({}, {"create_only": True}, {"check": lambda: None}):
        with pytest.raises(AlreadyExistsError, match="a/b: another process swept away"):
            put_swept(**options)
        assert list((tmp_path / "a").iterdir()) == []


def test_new_folders_are_as_durable_as_what_is_in_them(tmp_path, monkeypatch):
    synced = []

    def note(descriptor: int, fsync=os.fsync) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    store = open_store(tmp_path / "new" / "root")
    put(store, "work/000000/0", b"x")
    root = tmp_path / "new" / "root"
    wanted = {tmp_path, root.parent, root, root / "work", root / "work" / "000000"}
    assert wanted <= set(synced)
    synced.clear()
    put(store, "work/000000/1", b"x")
    assert len(synced) == 2, "the file, and the folder that has its name"


def test_names_are_those_directly_in_a_folder(store):
    for name in ("work/b", "work/a", "work/c/d", "workers"):
        put(store, name, b"")
    assert store.names("work") == ["a", "b", "c"]
    assert store.names("nowhere") == []
    store.remove("work/a")
    store.remove("work/a")
    assert store.names("work") == ["b", "c"]
    assert store.exists("workers")


def test_what_was_published_since_is_not_removed(store):
    for name in ("work/a", "work/b", "work/c"):
        put(store, name, b"")
    known = store.versions("work")
    assert known == {name: store.version(f"work/{name}") for name in ("a", "b", "c")}
    put(store, "work/a", b"theirs")
    put(store, "work/d", b"theirs")
    store.remove("work/c")
    store.remove("work/a", known["a"])
    store.remove("work/c", known["c"])
    assert store.names("work") == ["a", "b", "d"]
    store.remove_all("work", known)
    assert store.names("work") == ["a", "d"]
    assert store.read("work/a") == b"theirs"
    store.remove("work/d", store.version("work/d"))
    store.remove_all("work", store.versions("work"))
    assert store.names("work") == []
    assert store.versions("nowhere") == {}
    store.remove_all("nowhere", {})


def test_ranges(store):
    put(store, "shards/0", bytes(range(100)))
    assert store.read_range("shards/0", 10, 5) == bytes(range(10, 15))
    assert store.read_range("shards/0", 98, 50) == bytes((98, 99))
    assert store.read_range("shards/0", 98, 0) == b""
    assert store.read_range("shards/0", 100, 5) == b""
    assert store.read_range("shards/0", 1000, 5) == b""


def test_what_is_missing_is_named(store):
    for read in (store.read, store.size, lambda name: store.read_range(name, 0, 1)):
        with pytest.raises(FileNotFoundError, match="shards/7"):
            read("shards/7")
    assert not store.exists("shards/7")


def test_local_copies_and_pickled_stores(store):
    put(store, "a/b", b"abc")
    with store.local_copy("a/b") as path:
        assert path.read_bytes() == b"abc"
    with pytest.raises(FileNotFoundError, match="a/c"), store.local_copy("a/c"):
        pass
    store.read_range("a/b", 0, 1)
    assert pickle.loads(pickle.dumps(store)).read("a/b") == b"abc"


def test_what_a_killed_process_left_is_swept(tmp_path):
    store = open_store(tmp_path)
    put(store, "work/a", b"")
    (tmp_path / "work" / f".b.{'0' * 32}").write_bytes(b"half")
    (tmp_path / "work" / ".DS_Store").write_bytes(b"not ours")
    assert store.names("work") == ["a"]
    store.sweep("work")
    store.sweep("nowhere")
    store.path("a note").write_text("somebody's")
    store.sweep("a note")
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == [".DS_Store", "a"]


@pytest.mark.parametrize("url", ["ftp://host/x", "http://host/x", "s3:///"])
def test_other_urls_are_refused(url):
    with pytest.raises(ValueError, match=url):
        open_store(url)


ENDING = """
import sys
from gends.pipeline.storage.folder import LocalStore
from gends.pipeline.storage import folder as local_store
store = LocalStore(sys.argv[1])
assert store.read_range("file", 1, 2) == b"bc"
for name in ("os", "contextlib"):  # as the interpreter does when it ends
    setattr(local_store, name, None)
"""


def test_open_files_are_closed_in_silence_when_the_interpreter_ends(tmp_path):
    (tmp_path / "file").write_bytes(b"abcd")
    command = [sys.executable, "-c", ENDING, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""


def test_missing_rights_are_told_of_the_file(tmp_path):
    with pytest.raises(PermissionError), usable("a.tar"):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@pytest.mark.parametrize("link", ["work", "work/000000"])
def test_nothing_is_written_or_deleted_behind_a_link(tmp_path, link):
    victim, store = tmp_path / "victim", open_store(tmp_path / "root")
    deep = victim if link == "work/000000" else victim / "000000"
    deep.mkdir(parents=True)
    for name in ("000000.arrow", f".x.{'0' * 32}"):
        (deep / name).write_text("precious")
    (tmp_path / "root" / link).parent.mkdir(parents=True)
    (tmp_path / "root" / link).symlink_to(victim)
    before = store.versions("work/000000")
    assert len(before) == 2
    attempts = [
        lambda: put(store, "work/000000/000000.arrow", b"new"),
        lambda: put(store, "work/000000/000001.arrow", b"new", create_only=True),
        lambda: store.remove("work/000000/000000.arrow"),
        lambda: store.remove_all("work/000000", before),
        lambda: store.sweep("work/000000"),
    ]
    for attempt in attempts:
        with pytest.raises(StorageError, match=f"root/{link} is a link: nothing is written"):
            attempt()
    assert store.versions("work/000000") == before
    assert store.read("work/000000/000000.arrow") == b"precious"


def test_a_root_may_be_a_link_and_a_file_that_is_one_is_replaced(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "root").symlink_to("disk")
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / "disk" / "a").symlink_to(tmp_path / "elsewhere")
    store = open_store(tmp_path / "root")
    put(store, "a", b"new")
    assert store.read("a") == (tmp_path / "disk" / "a").read_bytes() == b"new"
    (tmp_path / "disk" / "b").symlink_to(tmp_path / "elsewhere")
    store.remove("b", store.version("b"))
    assert (tmp_path / "elsewhere").read_text() == "precious"
    assert store.names("") == ["a"]


@pytest.mark.parametrize("place", ["/proc/x/root", "/proc/self/fd", "file/root", "dangling"])
@pytest.mark.parametrize("create_only", [False, True])
def test_where_nothing_can_be_written_is_no_other_process(tmp_path, place, create_only):
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(StorageError, match="nothing can be written there"):
        put(open_store(tmp_path / place), "a", b"", create_only=create_only)


def test_a_store_of_a_relative_path_stays_where_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = open_store("root")
    put(store, "a", b"here")
    monkeypatch.chdir("/")
    put(store, "b", b"too")
    assert store.read("a") == b"here"
    assert store.names("") == ["a", "b"]
    assert store.where("b") == f"{tmp_path}/root/b"


def test_missing_memory_says_nothing_of_a_file():
    said = "Cannot allocate memory; free some memory"
    with pytest.raises(StorageError, match=said), usable("a.tar"):
        raise MemoryError
