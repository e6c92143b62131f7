"""A bucket that fails, stays away, cuts answers short or refuses: builds go on, or stop whole."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from proxy import FAULTS, Choose, Proxy, mixed
from witness import Witness, published

from gends.pipeline.format.identity import IDENTITY_NAME
from gends.pipeline.keeping.dataset import Dataset, open_dataset
from gends.pipeline.keeping.lease import LeaseHeldError, hold, newest_lease
from gends.pipeline.keeping.verify import verify
from gends.pipeline.storage.bucket import PART
from gends.pipeline.storage.opening import open_store
from gends.pipeline.storage.store import AlreadyExistsError, StorageError, Store

SCRIPT = Path(__file__).with_name("resume.py")
PROGRAM = Path(sys.executable).with_name("gends-build")
RATE = 0.3
"""Of all requests, those that are harmed."""


@pytest.fixture
def proxy(object_server: str) -> Iterator[Proxy]:
    with Proxy(object_server).serving() as serving:
        yield serving


@pytest.fixture
def harmed(proxy: Proxy, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store whose requests go through the proxy, given up after 3 s."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    return open_store(bucket).with_timeout(3)


def first(fault: str, method: str, *, part: str = "", times: int = 1) -> Choose:
    """Inject a fault into the first requests of a method whose path has a part."""
    left = [times]

    def choose(asked: str, path: str) -> str | None:
        if asked != method or part not in path or not left[0]:
            return None
        left[0] -= 1
        return fault

    return choose


def put(store: Store, name: str, data: bytes, **options: Any) -> None:
    with store.publish(name, **options) as file:
        file.write(data)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_operation_survives_every_fault(proxy, harmed, fault):
    operations: dict[str, Callable[[], object]] = {
        "PUT": lambda: put(harmed, "a/replaced", b"x" * 1000),
        "PUT created": lambda: put(harmed, "a/created", b"x" * 1000, create_only=True),
        "PUT checked": lambda: put(harmed, "a/replaced", b"y" * 1000, check=lambda: None),
        "GET": lambda: harmed.read("a/created"),
        "GET range": lambda: harmed.read_range("a/created", 1, 100),
        "GET list": lambda: harmed.names("a"),
        "HEAD": lambda: harmed.size("a/created"),
        "POST removed": lambda: harmed.remove("a/replaced"),
    }
    results = []
    for name, operate in operations.items():
        proxy.choose = first(fault, name.split()[0])
        results.append(operate())
    read = [b"x" * 1000, b"x" * 100, ["created", "replaced"], 1000]
    assert results == [None, None, None, *read, None]
    injected = {name for name in operations if fault != "cut" or name.startswith("GET")}
    assert proxy.injected[fault] >= len(injected)
    proxy.choose = lambda method, path: None
    assert harmed.names("a") == ["created"]


def test_a_name_taken_by_another_stays_taken_when_the_answer_is_lost(proxy, harmed):
    put(harmed, "manifest/0", b"first", create_only=True)
    for data in (b"second", b"first"):
        proxy.choose = first("drop", "PUT")
        with pytest.raises(AlreadyExistsError):
            put(harmed, "manifest/0", data, create_only=True)
        assert proxy.injected["drop"] > 0
    assert harmed.read("manifest/0") == b"first"


def test_a_lease_whose_answer_was_lost_is_held_and_refused_to_others(proxy, harmed):
    proxy.choose = first("drop", "PUT", part=".json")
    with hold(harmed) as lease:
        assert proxy.injected["drop"] == 1
        lease.check(harmed)
        with pytest.raises(LeaseHeldError), hold(harmed):
            pass
    assert newest_lease(harmed) is None


def test_an_upload_in_parts_that_fails_leaves_nothing(proxy, harmed, object_server):
    data = os.urandom(2 * PART + 5)
    proxy.choose = lambda method, path: "error" if "partNumber=2" in path else None
    with pytest.raises(StorageError, match="500"):
        put(harmed.with_timeout(3), "shards/0", data)
    assert proxy.injected["error"] > 1
    client = boto3.client("s3", endpoint_url=object_server)
    prefix = harmed.url.removeprefix("s3://bucket/")
    assert not client.list_objects_v2(Bucket="bucket", Prefix=prefix)["KeyCount"]
    assert not client.list_multipart_uploads(Bucket="bucket", Prefix=prefix).get("Uploads")
    proxy.choose = mixed(7, RATE)
    put(harmed.with_timeout(30), "shards/0", data)
    proxy.choose = first("cut", "GET", times=3)
    with harmed.local_copy("shards/0") as copy:
        assert copy.read_bytes() == data
    assert proxy.injected["cut"] >= 3


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("error", r"gave up after \d s .*500"),
        ("reset", r"gave up after \d s "),
        ("drop", r"gave up after \d s "),
        ("cut", r"gave up after \d s "),
        ("expired", ".*credentials expired .*; renew AWS_ACCESS_KEY_ID"),
        ("denied", "access denied.*; renew AWS_ACCESS_KEY_ID"),
    ],
)
def test_a_store_that_fails_for_good_is_given_up_in_time(proxy, harmed, fault, said):
    put(harmed, "a/b", b"x" * 1000)
    hasty = harmed.with_timeout(0.3)
    proxy.choose = lambda method, path: fault
    operations = {
        "a/b": lambda: hasty.read("a/b"),
        "a": lambda: hasty.names("a"),
    }
    if fault != "cut":  # these answers have no body
        operations["a/c"] = lambda: put(hasty, "a/c", b"x", create_only=True)
        operations["a/d"] = lambda: hasty.size("a/d")
    for name, operate in operations.items():
        start = time.monotonic()
        with pytest.raises(StorageError, match=f"^{harmed.url}/{name}: {said}"):
            operate()
        assert time.monotonic() - start < 2


@pytest.fixture(scope="module")
def whole(photos: Path, build_dataset: Callable[..., Dataset], tmp_path_factory) -> Dataset:
    return build_dataset(photos, tmp_path_factory.mktemp("whole") / "root")


@pytest.fixture
def founded(photos: Path, found_dataset: Callable[..., Dataset], bucket: str, tmp_path) -> str:
    """URL of a root in a bucket where nothing is made yet."""
    dataset, store = found_dataset(photos, tmp_path / "founded"), open_store(bucket)
    for path in Path(dataset.store.url).iterdir():
        put(store, path.name, path.read_bytes())
    return bucket


def resume(url: str, endpoint: str, timeout: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, url, "2", str(timeout)],
        env=os.environ | {"AWS_ENDPOINT_URL": endpoint},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.slow
def test_a_build_through_a_bad_line_makes_the_same_bytes(proxy, founded, whole, object_server):
    witness = Witness(open_store(founded))
    witness.start()
    proxy.choose = mixed(seed=3, rate=RATE)
    ended = resume(founded, proxy.url, 60)
    witness.end()
    assert ended.returncode == 0, ended.stderr
    print(f"{proxy.injected.total()} faults, {proxy.passed} requests unharmed: {proxy.injected}")
    assert set(proxy.injected) == set(FAULTS)
    assert not witness.torn
    assert sorted(witness.seen) == list(range(whole.plan.num_shards))
    assert published(open_store(founded)) == published(whole.store)
    assert open_store(founded).names("work") == []


@pytest.mark.slow
def test_a_store_that_goes_away_stops_a_build_which_resumes(proxy, founded, whole):
    witness = Witness(open_store(founded))
    witness.start()
    durable = [(0, 0)]
    for fault in ("reset", "error", "expired"):
        proxy.choose = after(50, fault)
        stopped = resume(founded, proxy.url, 0.5)
        assert stopped.returncode == 1
        assert f"StorageError: {founded}" in stopped.stderr.splitlines()[-1]
        durable.append(progress(open_store(founded)))
        assert durable[-1] > durable[-2]
    ended = resume(founded, os.environ["AWS_ENDPOINT_URL"], 60)
    witness.end()
    assert ended.returncode == 0, ended.stderr
    assert not witness.torn
    assert published(open_store(founded)) == published(whole.store)


@pytest.mark.slow
def test_a_store_that_goes_away_is_no_damage(proxy, harmed, whole):
    for name, data in published(whole.store).items():
        put(harmed, name, data)
    put(harmed, IDENTITY_NAME, whole.store.read(IDENTITY_NAME))
    away = dataclasses.replace(whole, store=harmed.with_timeout(0.5))
    assert not [problem for _, problems in verify(away) for problem in problems]
    for fault in ("error", "cut", "denied"):
        proxy.choose = first(fault, "GET", part="/manifest/", times=1000)
        with pytest.raises(StorageError, match="manifest/000000"):
            list(verify(away))


def progress(store: Store) -> tuple[int, int]:
    """Shards and units that are there."""
    units = sum(len(store.names(f"work/{name}")) for name in store.names("work"))
    return len(store.names("manifest")), units


def after(passing: int, fault: str) -> Choose:
    """Harm every request after so many."""
    left = [passing]

    def choose(method: str, path: str) -> str | None:
        left[0] -= 1
        return None if left[0] >= 0 else fault

    return choose


def after_first_manifest(fault: str) -> Choose:
    """Harm every request from the second manifest on."""
    manifests = set()

    def choose(method: str, path: str) -> str | None:
        if method == "PUT" and "/manifest/" in path:
            manifests.add(path)
        return fault if len(manifests) > 1 else None

    return choose


@pytest.mark.slow
@pytest.mark.long
def test_gends_build_stops_with_one_line_and_resumes(photos, proxy, bucket, whole, object_server):
    url = f"{bucket}/{uuid.uuid4().hex}"
    flags = "--engine=dry --resolution=64 --shard-size=12 --unit-images=1 --redraws=1 --seed=3"
    places = [f"--clean={photos}", f"--out={url}", "--workers=1", "--store-timeout=1"]
    command = [PROGRAM, "run", *flags.split(), *places]

    def run(endpoint: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=os.environ | {"AWS_ENDPOINT_URL": endpoint},
            check=False,
            capture_output=True,
            text=True,
            timeout=200,
        )

    proxy.choose = after_first_manifest("expired")
    stopped = run(proxy.url)
    line = stopped.stderr.splitlines()[-1]
    assert stopped.returncode == 1
    assert "Traceback" not in stopped.stderr
    assert url in line
    assert "credentials expired" in line
    assert "renew AWS_ACCESS_KEY_ID" in line
    assert line.endswith("; the same command resumes")
    assert len(open_store(url).names("manifest")) == 1
    ended = run(object_server)
    assert ended.returncode == 0, ended.stderr
    dataset = open_dataset(url)
    assert not [problem for _, problems in verify(dataset) for problem in problems]
    ours, theirs = published(dataset.store), published(whole.store)
    tars = [name for name in theirs if name.startswith("shards/")]
    assert len(ours) == len(theirs)
    assert all(ours[name] == theirs[name] for name in tars)
