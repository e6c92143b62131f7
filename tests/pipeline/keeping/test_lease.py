from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest

from gends.pipeline.format.damage import DamageError
from gends.pipeline.keeping import lease as lease_module
from gends.pipeline.keeping.lease import (
    LeaseHeldError,
    LeaseLostError,
    forget_leases,
    hold,
    newest_lease,
)
from gends.pipeline.storage.opening import open_store
from gends.pipeline.storage.store import StorageError

HOLD = """
import sys
from gends.pipeline.keeping.lease import hold
from gends.pipeline.storage.opening import open_store

with hold(open_store(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
PATIENCE = 0.4


@pytest.fixture(params=["disk", "s3"])
def url(request, tmp_path) -> str:
    return str(tmp_path) if request.param == "disk" else request.getfixturevalue("bucket")


def move(store) -> None:
    """Rewrite the lease as that of another machine."""
    lease = newest_lease(store)
    facts = json.loads(store.read(lease.name)) | {"host": "elsewhere"}
    with store.publish(lease.name) as file:
        file.write(json.dumps(facts).encode())


def test_one_build_at_a_time(url):
    store = open_store(url)
    with hold(store, patience=PATIENCE) as lease:
        lease.check(store)
        with pytest.raises(LeaseHeldError, match="another gends-build is writing here"):
            hold(store, patience=PATIENCE).__enter__()
        lease.check(store)
    assert newest_lease(store) is None
    with hold(store, patience=PATIENCE):
        pass


def test_a_killed_holder_on_this_machine_is_succeeded_at_once(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    store = open_store(tmp_path)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LeaseHeldError, match=f"process {holder.pid}"):
            hold(store).__enter__()
        holder.kill()
    begin = time.monotonic()
    with hold(store, patience=60) as lease:
        assert lease.number == 2
    assert time.monotonic() - begin < 30


def test_a_silent_holder_elsewhere_is_succeeded_after_a_while_and_a_live_one_is_not(url):
    store = open_store(url)
    with hold(store, patience=PATIENCE):
        move(store)
        with pytest.raises(LeaseHeldError, match="elsewhere"):
            hold(store, patience=5 * PATIENCE).__enter__()
    assert newest_lease(store) is None

    with hold(store, patience=PATIENCE):
        silent = newest_lease(store)
    with store.publish(silent.name) as file:  # as it was, but nobody beats
        file.write(json.dumps({**facts(silent), "host": "elsewhere"}).encode())
    said: list[str] = []
    with hold(store, patience=PATIENCE, on_wait=said.append) as second:
        assert second.number == silent.number + 1
    assert "elsewhere" in said[0]


def facts(lease) -> dict[str, object]:
    return {name: getattr(lease, name) for name in lease.__slots__}


def test_a_holder_that_was_succeeded_notices(url):
    store, lost = open_store(url), threading.Event()
    with hold(store, patience=PATIENCE, on_lost=lost.set) as old:
        usurper = {**facts(old), "number": old.number + 1, "holder": "x", "host": "elsewhere"}
        with store.publish(f"lease/{old.number + 1:06d}.json", create_only=True) as file:
            file.write(json.dumps(usurper).encode())
        with pytest.raises(LeaseLostError, match="elsewhere"):
            old.check(store)
        assert lost.wait(10)
    assert newest_lease(store).holder == "x", "a lease that was lost is not given back"


def test_of_builds_that_begin_together_one_succeeds(url):
    held, refused, barrier = [], [], threading.Barrier(4)

    def begin() -> None:
        barrier.wait()
        try:
            with hold(open_store(url), patience=PATIENCE) as lease:
                held.append(lease)
                time.sleep(1)
        except LeaseHeldError as error:
            refused.append(error)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(held), len(refused)) == (1, 3)


# A process that sleeps between two steps, and wakes up when others have gone on.


def test_numbers_never_begin_anew(url):
    store = open_store(url)
    for number in (1, 2, 3):
        with hold(store, patience=PATIENCE) as lease:
            assert lease.number == number
        assert store.names("lease") == [f"{number:06d}.json"]


def test_a_sleeper_that_gives_back_takes_nothing_from_later_holders(url, monkeypatch):
    store, give_back = open_store(url), lease_module._publish
    with ExitStack() as third:

        def wake_late(*arguments, **options) -> None:
            monkeypatch.undo()
            move(store)
            with hold(store, patience=PATIENCE):
                pass
            later.append(third.enter_context(hold(store, patience=PATIENCE)))
            give_back(*arguments, **options)

        later: list[lease_module.Lease] = []
        with hold(store, patience=PATIENCE):
            monkeypatch.setattr(lease_module, "_publish", wake_late)
        later[0].check(store)
        assert newest_lease(store) == later[0]


def test_a_sleeper_that_takes_over_takes_nothing_from_later_holders(url, monkeypatch):
    store, beat = open_store(url), lease_module._beat
    with hold(store, patience=PATIENCE):
        silent = newest_lease(store)
    with store.publish(silent.name) as file:  # as it was, but nobody beats
        file.write(json.dumps({**facts(silent), "host": "elsewhere"}).encode())
    with ExitStack() as third:

        def wake_late(*arguments) -> None:
            monkeypatch.undo()
            beat(*arguments)
            lease_module._publish(store, replace(silent, holder=""))  # it was only slow
            later.append(third.enter_context(hold(store, patience=PATIENCE)))

        later: list[lease_module.Lease] = []
        monkeypatch.setattr(lease_module, "_beat", wake_late)
        with pytest.raises(LeaseHeldError, match="just begun"):
            third.enter_context(hold(store, patience=PATIENCE))
        later[0].check(store)


def test_a_full_disk_keeps_no_lease(tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise StorageError("the disk is full")

    store = open_store(tmp_path)
    with hold(store, patience=PATIENCE):
        monkeypatch.setattr(lease_module, "_publish", full)
    assert store.names("lease") == []


def test_nothing_is_left_of_a_root_that_was_never_founded(url):
    store = open_store(url)
    with hold(store, patience=PATIENCE) as lease:
        forget_leases(store)
        lease.check(store)
    forget_leases(store)
    assert store.names("lease") == []


def test_what_others_put_beside_leases_does_not_matter(tmp_path):
    store = open_store(tmp_path)
    for name in ("notes.txt", ".DS_Store", "000009.json.bak", "notes.json", "12.beat"):
        with store.publish(f"lease/{name}") as file:
            file.write(b"x")
    with hold(store, patience=PATIENCE) as lease:
        assert lease.number == 1
        lease.check(store)
    assert newest_lease(store) is None


def test_what_a_former_holder_was_writing_is_swept_away(tmp_path):
    store = open_store(tmp_path)
    half = [tmp_path / name for name in ("shards", "manifest", "lease", "work/000007")]
    for folder in half:
        folder.mkdir(parents=True)
        (folder / f".0.tar.{'0' * 32}").touch()
        (folder / ".DS_Store").touch()
    with hold(store, patience=PATIENCE):
        for folder in half:
            assert [path.name for path in folder.glob(".*")] == [".DS_Store"]


GOOD = {"number": 3, "holder": "x", "host": "h", "pid": 1, "boot": "", "born": ""}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1]",
        '{"number": 1, "holder": 2, "else": 3}',
        "{oops",
        *(
            json.dumps(GOOD | wrong)
            for wrong in (
                {"number": "x"},
                {"number": 1},
                {"number": -3},
                {"number": 3.0},
                {"pid": "1"},
                {"host": None},
            )
        ),
    ],
)
def test_a_lease_that_is_none_is_named_with_the_way_out(tmp_path, text):
    store = open_store(tmp_path)
    with store.publish("lease/000003.json") as file:
        file.write(text.encode())
    with (
        pytest.raises(
            DamageError, match=r"lease/000003\.json: not a lease; if no build .* delete it"
        ),
        hold(store, patience=PATIENCE),
    ):
        pass


def test_a_link_that_leads_nowhere_is_no_lease(tmp_path):
    (tmp_path / "lease").mkdir()
    (tmp_path / "lease" / "000009.json").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DamageError, match=r"000009\.json: not a lease"):
        newest_lease(open_store(tmp_path))


def test_a_lease_that_cannot_be_had_leaves_no_file(tmp_path, monkeypatch):
    store, publish = open_store(tmp_path), lease_module._publish

    def fail(*arguments, **options):
        raise StorageError("no room for a lease")

    monkeypatch.setattr(lease_module, "_publish", fail)
    with pytest.raises(StorageError, match="no room for a lease"), hold(store, patience=PATIENCE):
        pass
    assert store.names("lease") == []
    monkeypatch.setattr(lease_module, "_publish", publish)
    with hold(store, patience=PATIENCE):
        assert store.names("lease") == ["000001.beat", "000001.json"]
