"""A build that is held in the middle of a commit, succeeded, and woken up again harms nothing.

It is held after its last look at the lease, just before a file gets its name. Its successor ends
the build, a photograph that had failed is mended, and `retry` makes other bytes of the same shard.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from plain_build import PlainBuild, forget_machine, made_by, start, upload, wait_for
from witness import published

from gends.pipeline.keeping.dataset import Dataset, open_dataset
from gends.pipeline.keeping.lease import hold
from gends.pipeline.keeping.retry import reopen
from gends.pipeline.keeping.verify import verify
from gends.pipeline.storage.opening import open_store

pytestmark = pytest.mark.slow


@dataclass
class Held:
    """A build that waits at a step."""

    build: PlainBuild
    passes: Path

    def sleep(self, url: str) -> None:
        """Look dead to whoever wants the root."""
        os.kill(self.build.pid, signal.SIGSTOP)
        forget_machine(open_store(url))

    def wake(self) -> str:
        """Go on; returns how it ended."""
        (self.passes / "go").touch()
        os.kill(self.build.pid, signal.SIGCONT)
        self.build.wait()
        return self.build.last_error()


Hold = Callable[..., Held]


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Hold]:
    """(url, step, retry=False) -> a build that has reached a step and waits there."""
    running: list[PlainBuild] = []

    def run(url: str, step: str, **options: bool) -> Held:
        passes = tmp_path / f"passes-{len(running)}"
        passes.mkdir()
        running.append(start(url, tmp_path, f"{step}:1:hold:{passes}", **options))
        wait_for(passes / "reached")
        return Held(running[-1], passes)

    yield run
    for build in running:
        build.kill()


@pytest.fixture
def clean(photos: Path, tmp_path: Path) -> Path:
    """A list of a photograph and of one that is broken until it is mended."""
    folder = tmp_path / "clean"
    folder.mkdir()
    for name in ("chelsea left.png", "words.png"):
        shutil.copy(photos.parent / name, folder)
    (folder / "list.txt").write_text("chelsea left.png\nwords.png\n")
    return folder / "list.txt"


@pytest.fixture
def url(clean: Path, found_dataset, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A founded root on a disk or in a bucket."""
    root = found_dataset(clean, tmp_path / "root").store.root
    if request.param == "disk":
        return str(root)
    bucket: str = request.getfixturevalue("bucket")
    upload(root, bucket)
    return bucket


def mend(clean: Path, photos: Path) -> None:
    shutil.copy(photos.parent / "rocket right.png", clean.parent / "words.png")


def problems(dataset: Dataset) -> list[object]:
    return [problem for _, found in verify(dataset) for problem in found]


@pytest.mark.parametrize("url", ["disk", "s3"], indirect=True)
@pytest.mark.parametrize("step", ["shards.written", "manifest.written"])
def test_a_zombie_that_wakes_up_at_once_publishes_nothing(url, step, held, tmp_path):
    zombie = held(url, step)
    refused = start(url, tmp_path)
    assert refused.wait() == 1
    assert "LeaseHeldError" in refused.last_error()
    zombie.sleep(url)
    with hold(open_store(url), patience=0.5):
        before = published(open_store(url))
        assert "LeaseLostError" in zombie.wake()
        assert zombie.build.code == 1
        assert published(open_store(url)) == before


@pytest.mark.parametrize(
    ("url", "step"),
    [("disk", "shards.checked"), ("disk", "manifest.checked"), ("s3", "shards.checked")],
    indirect=["url"],
)
def test_a_zombie_changes_nothing_after_a_retry(
    url, step, held, clean, photos, build_dataset, tmp_path
):
    zombie = held(url, step)
    zombie.sleep(url)
    made_by(start(url, tmp_path))
    failed = published(open_store(url))
    mend(clean, photos)
    made_by(start(url, tmp_path, retry=True))
    whole = published(build_dataset(clean, tmp_path / "whole").store)
    assert published(open_store(url)) == whole != failed
    assert "LeaseLostError" in zombie.wake()
    assert published(open_store(url)) == whole
    assert not problems(open_dataset(url))


@pytest.mark.parametrize("url", ["disk", "s3"], indirect=True)
def test_a_zombie_that_brings_a_manifest_back_does_not_undo_a_retry(
    url, held, clean, photos, build_dataset, tmp_path
):
    zombie = held(url, "manifest.checked")
    zombie.sleep(url)
    made_by(start(url, tmp_path))
    mend(clean, photos)
    with hold(open_store(url), patience=0.5) as lease:
        dataset = open_dataset(url)
        reopen(dataset, 0, set(), lambda: lease.check(dataset.store))
    zombie.wake()
    # On a disk what it was writing was swept away; a bucket has it back, whole and out of date.
    back = [] if "://" not in url else ["000000.parquet"]
    assert open_store(url).names("manifest") == back
    assert not problems(open_dataset(url)) or not back
    assert made_by(start(url, tmp_path)) > 0
    assert published(open_store(url)) == published(build_dataset(clean, tmp_path / "whole").store)


@pytest.mark.parametrize("url", ["s3"], indirect=True)
@pytest.mark.parametrize("step", ["shards.checked", "manifest.checked"])
def test_a_zombie_that_wakes_up_while_a_retry_seals_is_overruled(
    url, step, held, clean, photos, build_dataset, tmp_path
):
    zombie = held(url, step)
    zombie.sleep(url)
    made_by(start(url, tmp_path))
    mend(clean, photos)
    sealing = held(url, step, retry=True)
    zombie.wake()
    assert sealing.wake() == ""
    assert sealing.build.code == 0
    assert published(open_store(url)) == published(build_dataset(clean, tmp_path / "whole").store)
