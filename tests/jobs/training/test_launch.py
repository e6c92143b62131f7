from __future__ import annotations

from pathlib import Path

import pytest
from ray import train as ray_train

from gends.jobs.errors import BuildError
from gends.jobs.training.launch import FAILURE, Launch, LostRankError
from gends.pipeline.format.damage import PairError
from gends.pipeline.storage.store import StorageError


def launch(folder: Path) -> Launch:
    return Launch(work=print, settings={}, ranks=2, cpus=1, on_gpu=False, folder=folder)


def failed(**failures: Exception) -> ray_train.WorkerGroupError:
    by_rank = {int(name[1:]): error for name, error in failures.items()}
    return ray_train.WorkerGroupError("Traceback of some rank", by_rank)


def test_what_a_rank_raised_of_its_input_is_what_the_command_ends_with(tmp_path):
    missing = FileNotFoundError("shards/000007.tar is not there")
    hung_up = RuntimeError("gloo: Connection reset by peer")
    assert launch(tmp_path).blame(failed(r0=hung_up, r1=missing)) is missing
    assert not list(tmp_path.iterdir())


def test_a_rank_that_died_is_lost_and_its_last_words_are_kept(tmp_path):
    error = launch(tmp_path).blame(failed(r1=RuntimeError("a long story\ngloo: Connection reset")))
    assert isinstance(error, LostRankError)
    assert isinstance(error, BuildError)
    assert str(error).startswith("rank 1 of 2 was lost: gloo: Connection reset (more in ")
    assert "Traceback of some rank" in (tmp_path / FAILURE).read_text()


@pytest.mark.parametrize("kind", [PairError, StorageError])
def test_errors_of_loader_workers_are_told_without_their_traceback(tmp_path, kind):
    text = (
        f"Caught {kind.__name__} in DataLoader worker process 0.\nOriginal Traceback (most recent "
        f'call last):\n  File "x.py", line 1\n{kind.__module__}.{kind.__name__}: a-haze-0.gt in '
        "shards/000001.tar: 5 bytes are not those that the manifest recorded"
    )
    error = launch(tmp_path).blame(failed(r0=kind(text)))
    assert type(error) is kind
    assert str(error).startswith("a-haze-0.gt in shards/000001.tar: 5 bytes")


def test_other_errors_stay_as_they_are(tmp_path):
    error = OSError("no space left")
    assert launch(tmp_path).blame(error) is error
