"""Several ranks on one machine, talking through gloo."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load
from torch import distributed as dist
from torch import multiprocessing, nn

from gends.models.training.loop import train
from gends.models.training.progress import Meter
from gends.models.training.ranks import ALONE, Ranks
from gends.models.training.schedule import Schedule
from gends.models.training.step_log import StepLog
from gends.models.training.task import LoopSettings, Task

BATCH, STEPS = 12, 8
RUNS = (
    ("whole", 3, None),
    ("broken", 3, 3),
    ("broken", 3, None),
    ("fewer", 3, 3),
    ("fewer", 2, None),
)
"""Folder, ranks, and after how many steps the run is stopped."""


class CountingFeed:
    """The numbers from 0 on; says which ones it gave."""

    def __init__(self, ranks: Ranks) -> None:
        self.ranks, self.position, self.given = ranks, 0, []

    @contextmanager
    def batches(self, steps):
        yield (self._next() for _ in steps)

    def _next(self):
        mine = range(self.position + self.ranks.rank, self.position + BATCH, self.ranks.count)
        self.position += BATCH
        self.given += mine
        return {"x": torch.tensor(mine)[:, None].float()}

    def state_dict(self):
        return {"position": self.position}

    def load_state_dict(self, state):
        self.position = state["position"]


def run(folder: Path, ranks: Ranks, stop: int | None) -> list[int]:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(1, 40), nn.SiLU(), nn.Linear(40, 30), nn.Linear(30, 1))
    wrapped, feed = ranks.wrap(network), CountingFeed(ranks)
    validated = []

    def loss(step, batch):
        x = batch["x"] / 50
        error = (wrapped(x) - torch.sin(3 * x)).square()
        return error.mean(), {"largest": error.max()}

    task = Task(
        modules={"network": network},
        optimizer=torch.optim.AdamW(network.parameters(), 1e-2),
        loss=loss,
        batches=feed,
        validate=lambda step, modules: validated.append(step),
    )
    settings = LoopSettings(
        directory=folder,
        steps=STEPS,
        schedule=Schedule(warmup=2),
        report_every=1,
        checkpoint_every=2,
        validate_every=4,
    )
    before = feed.position
    done = train(
        task,
        settings,
        should_stop=lambda: (
            ranks.rank == ranks.count - 1 and feed.position - before >= BATCH * (stop or 99)
        ),
        ranks=ranks,
    )
    assert done.step == (stop or STEPS)
    assert validated == [step for step in (4, 8) if before < step * BATCH <= feed.position]
    return feed.given


def work(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    for number, (name, count, stop) in enumerate(RUNS):
        if rank >= count:
            continue
        place = f"file://{folder}/meet-{number}"
        dist.init_process_group("gloo", init_method=place, rank=rank, world_size=count)
        ranks = Ranks.joined()
        given = run(folder / name, ranks, stop)
        assert (ranks.any(rank == 1), ranks.any(False)) == (True, False)
        if number == 0:
            with pytest.raises(ValueError, match=r"step is between 0 and 2 on 3 ranks"):
                ranks.check_same("step", rank)
            meter = Meter()
            meter.add(torch.tensor(float("nan") if rank == 2 else 1.0), {}, 1)
            with pytest.raises(FloatingPointError, match="loss is nan"):
                meter.report(1, 1, 0.1, ranks)
        (folder / f"{number}-{rank}.json").write_text(json.dumps(given))
        dist.destroy_process_group()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ranks")
    multiprocessing.spawn(work, args=(folder,), nprocs=3)
    return folder


def given(folder: Path, number: int) -> list[int]:
    return sorted(
        n for path in folder.glob(f"{number}-*.json") for n in json.loads(path.read_text())
    )


def weights(folder: Path) -> bytes:
    return (folder / f"step-{STEPS:09d}" / "model.safetensors").read_bytes()


@pytest.mark.slow
@pytest.mark.long
def test_a_resumed_run_has_the_bits_of_an_uninterrupted_one(folder):
    assert weights(folder / "broken") == weights(folder / "whole")
    assert given(folder, 0) == list(range(BATCH * STEPS))
    logs = [
        (folder / name / "metrics.jsonl").read_text().splitlines() for name in ("whole", "broken")
    ]
    losses = [[json.loads(line)["loss"] for line in log] for log in logs]
    assert losses[0] == losses[1]
    assert len(losses[0]) == STEPS


@pytest.mark.slow
def test_another_number_of_ranks_goes_on_with_the_same_batches(folder):
    assert given(folder, 3) + given(folder, 4) == list(range(BATCH * STEPS))
    whole, fewer = (load(weights(folder / name)) for name in ("whole", "fewer"))
    for name, values in whole.items():
        torch.testing.assert_close(fewer[name], values, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_one_rank_alone_trains_the_same(folder, tmp_path):
    assert run(tmp_path, ALONE, None) == list(range(BATCH * STEPS))
    for name, values in load(weights(tmp_path)).items():
        torch.testing.assert_close(
            load(weights(folder / "whole"))[name], values, rtol=1e-4, atol=1e-6
        )


def test_alone_there_is_nobody_to_ask():
    module = nn.Linear(1, 1)
    assert ALONE.wrap(module) is module
    assert (ALONE.any(True), ALONE.any(False)) == (True, False)
    assert ALONE.total(torch.tensor([3.0])).tolist() == [3.0]
    ALONE.check_same("step", 7)


def test_a_log_is_cut_back_to_the_step_it_goes_on_from(tmp_path):
    path = tmp_path / "keys.jsonl"
    log = StepLog(path, 0)
    for step in (1, 2, 3):
        log.write({"step": step, "keys": ["a"]})
    with path.open("a") as file:
        file.write('{"step": 2, "ke')
    StepLog(path, 2).write({"step": 3, "keys": ["b"]})
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["step"], line["keys"]) for line in lines] == [(1, ["a"]), (2, ["a"]), (3, ["b"])]
    assert [entry.name for entry in tmp_path.iterdir()] == ["keys.jsonl"]
