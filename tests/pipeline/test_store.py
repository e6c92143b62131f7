from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gends.pipeline.store import AlreadyExistsError, Store


def listing(root: Path) -> list[str]:
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())


def put(store: Store, name: str, data: bytes, **options) -> None:
    with store.publish(name, **options) as file:
        file.write(data)


def test_a_file_appears_whole_and_only_at_the_end(tmp_path):
    store = Store(tmp_path)
    with store.publish("shards/000000.tar") as file:
        file.write(b"half")
        file.flush()
        assert not store.exists("shards/000000.tar")
        assert store.names("shards") == []
        file.write(b" and half")
    assert store.path("shards/000000.tar").read_bytes() == b"half and half"
    assert listing(tmp_path) == ["shards/000000.tar"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit, MemoryError])
def test_an_exception_leaves_nothing_behind(tmp_path, error):
    store = Store(tmp_path)

    def fail(create_only: bool) -> None:
        with store.publish("a/b.bin", create_only=create_only) as file:
            file.write(b"half")
            raise error

    for create_only in (False, True):
        with pytest.raises(error):
            fail(create_only)
    assert listing(tmp_path) == []


def test_an_exception_leaves_what_was_there(tmp_path):
    store = Store(tmp_path)
    put(store, "a", b"old")

    def fail() -> None:
        with store.publish("a") as file:
            file.write(b"new")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert store.path("a").read_bytes() == b"old"
    put(store, "a", b"new")
    assert store.path("a").read_bytes() == b"new"
    assert listing(tmp_path) == ["a"]


def test_create_only_refuses_a_taken_name(tmp_path):
    store = Store(tmp_path)
    put(store, "manifest/0", b"first", create_only=True)
    with pytest.raises(AlreadyExistsError, match="manifest/0 exists already"):
        put(store, "manifest/0", b"second", create_only=True)
    assert store.path("manifest/0").read_bytes() == b"first"
    assert listing(tmp_path) == ["manifest/0"]


def test_names_are_sorted_and_leave_out_what_is_hidden(tmp_path):
    store = Store(tmp_path)
    for name in ("b", "a", ".c"):
        put(store, f"work/{name}", b"")
    assert store.names("work") == ["a", "b"]
    assert store.names("nowhere") == []
    store.sweep("work")
    assert listing(tmp_path) == ["work/a", "work/b"]
    store.sweep("nowhere")
    store.remove_folder("work")
    store.remove_folder("work")
    assert listing(tmp_path) == []


HOLD = """
import sys
from gends.pipeline.store import Store

with Store(sys.argv[1]).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_root_is_locked_until_its_process_dies(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError, match="another gends-build is writing here"):
            Store(tmp_path).lock().__enter__()
        holder.kill()
    with Store(tmp_path).lock():
        pass
    with Store(tmp_path).lock():
        pass


def test_urls_are_refused_for_now():
    with pytest.raises(ValueError, match="s3://bucket/x: only local folders"):
        Store("s3://bucket/x")
