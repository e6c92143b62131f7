import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from metrics_log import await_step
from torch import nn

from gends.models.training.checkpoint import latest_checkpoint
from gends.models.training.interruption import stop_on_signals
from gends.models.training.loop import train
from gends.models.training.randomness import torch_generator
from gends.models.training.schedule import Schedule
from gends.models.training.task import LoopSettings, Task

STEPS = 23
BATCH = 8


def make_task(seed=5, pause=0.0, poison=None):
    """Denoise vectors: two modules, two rates, buffers, and noise drawn inside the loss."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        modules = {
            "body": nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.SiLU()),
            "head": nn.Linear(16, 6),
        }
    optimizer = torch.optim.AdamW(
        [
            {"params": modules["body"].parameters(), "lr": 1e-2},
            {"params": modules["head"].parameters(), "lr": 3e-2},
        ]
    )

    def batches(step):
        time.sleep(pause)
        wave = torch.rand(BATCH, 1, generator=torch_generator(seed, step, "data"))
        return {"x": torch.sin(wave * torch.arange(1, 7))}

    def loss(step, batch):
        noise = torch.randn(batch["x"].shape, generator=torch_generator(seed, step, "noise"))
        error = modules["head"](modules["body"](batch["x"] + 0.1 * noise)) - batch["x"]
        value = error.square().mean()
        if step == poison:
            value = value * float("nan")
        return value, {"largest": error.abs().max()}

    return Task(modules=modules, optimizer=optimizer, loss=loss, batches=batches)


def make_settings(directory, **changes):
    values = {
        "directory": directory,
        "steps": STEPS,
        "schedule": Schedule(kind="cosine", warmup=4, final=0.1),
        "ema_decay": 0.9,
        "checkpoint_every": 5,
        "report_every": 2,
        "identity": {"seed": 5, "blocks": (1, 2)},
    }
    return LoopSettings(**values | changes)


def weights(modules):
    return {
        f"{name}.{key}": value.clone()
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }


def assert_identical(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    directory = tmp_path_factory.mktemp("whole")
    task = make_task()
    result = train(task, make_settings(directory))
    assert result.finished
    return weights(task.modules), weights(result.averaged), directory


def finish(directory, expected, **changes):
    task = make_task()
    result = train(task, make_settings(directory, **changes))
    assert result.finished
    assert result.step == STEPS
    assert_identical(weights(task.modules), expected[0])
    assert_identical(weights(result.averaged), expected[1])


@pytest.mark.parametrize("crash", [4, 6, 10, 22])
def test_resume_after_a_crash_is_exact(tmp_path, uninterrupted, crash):
    class CrashError(Exception):
        pass

    def explode(progress):
        if progress.step >= crash:
            raise CrashError

    with pytest.raises(CrashError):
        train(make_task(), make_settings(tmp_path), on_progress=explode)
    finish(tmp_path, uninterrupted)


def test_a_run_stopped_at_every_step_is_exact(tmp_path, uninterrupted):
    for step in range(1, STEPS):
        result = train(make_task(), make_settings(tmp_path), should_stop=lambda: True)
        assert (result.step, result.finished) == (step, False)
    finish(tmp_path, uninterrupted)


@pytest.mark.parametrize("prefetch", [0, 5])
def test_prefetching_changes_nothing(tmp_path, uninterrupted, prefetch):
    finish(tmp_path, uninterrupted, prefetch=prefetch)


def test_kill_nine_then_resume_is_exact(tmp_path, uninterrupted):
    script = tmp_path / "run.py"
    script.write_text(
        "import sys, importlib.util as u; from pathlib import Path\n"
        f"sys.path[:] = {sys.path!r}\n"
        f"s = u.spec_from_file_location('t', {__file__!r}); t = u.module_from_spec(s)\n"
        "s.loader.exec_module(t)\n"
        # other tests may have changed this process's number, and it changes last bits
        f"t.torch.set_num_threads({torch.get_num_threads()})\n"
        f"t.train(t.make_task(pause=0.2), t.make_settings(Path({str(tmp_path)!r}), prefetch=0))\n"
    )
    process = subprocess.Popen([sys.executable, str(script)])
    try:
        log = tmp_path / "metrics.jsonl"
        await_step(process, tmp_path, 8, patience=120)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert latest_checkpoint(tmp_path).name == "step-000000005"
    finish(tmp_path, uninterrupted)
    steps = [json.loads(line)["step"] for line in log.read_text().splitlines()]
    assert steps == sorted(set(steps))


def test_a_torn_checkpoint_is_not_read(tmp_path, uninterrupted):
    train(make_task(), make_settings(tmp_path), should_stop=lambda: True)
    torn = tmp_path / ".partial-step-000000005"
    torn.mkdir()
    (torn / "model.safetensors").write_bytes(b"half")
    finish(tmp_path, uninterrupted)
    assert not torn.exists()


def test_nothing_is_pickled_and_two_checkpoints_stay(uninterrupted):
    directory = uninterrupted[2]
    assert sorted(p.name for p in directory.glob("step-*")) == ["step-000000020", "step-000000023"]
    suffixes = {p.suffix for p in directory.rglob("*") if p.is_file()}
    assert suffixes == {".safetensors", ".json", ".jsonl"}


def test_average_follows_its_definition(tmp_path):
    settings = make_settings(tmp_path, steps=1)
    expected = {k: v.double() for k, v in weights(make_task().modules).items()}
    for step in range(1, 12):
        task = make_task()
        result = train(task, make_settings(tmp_path, steps=12), should_stop=lambda: True)
        decay = min(settings.ema_decay, (1 + step) / (10 + step))
        for name, value in weights(task.modules).items():
            if "running" in name or "batches" in name:
                expected[name] = value.double()
            else:
                expected[name] = decay * expected[name] + (1 - decay) * value.double()
    for name, value in weights(result.averaged).items():
        torch.testing.assert_close(value.double(), expected[name], rtol=1e-4, atol=1e-6)
    assert not any(p.requires_grad for m in result.averaged.values() for p in m.parameters())


def test_it_learns_and_reports(tmp_path):
    seen = []
    train(make_task(), make_settings(tmp_path, steps=300), on_progress=seen.append)
    assert seen[-1].loss < 0.5 * seen[0].loss
    assert seen[-1].step == 300
    assert seen[-1].seconds_left == 0
    assert all(p.images_per_second > 0 and p.metrics["largest"] > 0 for p in seen)
    assert seen[0].learning_rate == pytest.approx(1e-2 * 2 / 4)
    assert seen[-1].learning_rate == pytest.approx(1e-3, rel=1e-2)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [p.step for p in seen]


def test_a_lost_loss_stops_before_the_checkpoint(tmp_path):
    with pytest.raises(FloatingPointError, match="loss is nan"):
        train(make_task(poison=8), make_settings(tmp_path, report_every=1000))
    assert latest_checkpoint(tmp_path).name == "step-000000005"


def test_another_run_is_refused(tmp_path):
    train(make_task(), make_settings(tmp_path), should_stop=lambda: True)
    with pytest.raises(ValueError, match=r"seed was 5 and is now 6; give the same settings"):
        train(make_task(), make_settings(tmp_path, identity={"seed": 6}))
    other = make_task()
    head = nn.Linear(16, 7)
    task = Task(
        modules=other.modules | {"head": head},
        optimizer=torch.optim.AdamW(head.parameters()),
        loss=other.loss,
        batches=other.batches,
    )
    with pytest.raises(ValueError, match="other modules"):
        train(task, make_settings(tmp_path))


def test_an_unknown_parameter_is_refused(tmp_path):
    task = make_task()
    task.optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(2))]})
    with pytest.raises(ValueError, match="holds 1 parameters outside"):
        train(task, make_settings(tmp_path))


def test_errors_of_the_data_surface(tmp_path):
    task = make_task()

    def broken(step):
        if step == 3:
            raise OSError("disk gone")
        return task.batches(step)

    broken_task = Task(
        modules=task.modules, optimizer=task.optimizer, loss=task.loss, batches=broken
    )
    with pytest.raises(OSError, match="disk gone"):
        train(broken_task, make_settings(tmp_path))


def test_pictures_are_drawn_from_the_average(tmp_path):
    task = make_task()
    shown = []

    def sample(step, modules):
        shown.append((step, set(modules), modules["head"].training))
        return np.full((4, 4, 3), step, np.uint8)

    drawing = Task(
        modules=task.modules,
        optimizer=task.optimizer,
        loss=task.loss,
        batches=task.batches,
        sample=sample,
    )
    train(drawing, make_settings(tmp_path, sample_every=10))
    assert shown == [(step, {"body", "head"}, False) for step in (10, 20, 23)]
    names = sorted(p.name for p in (tmp_path / "samples").iterdir())
    assert names == ["step-000000010.png", "step-000000020.png", "step-000000023.png"]


def test_autocast_trains(tmp_path):
    seen = []
    settings = make_settings(tmp_path, steps=200, bf16=True)
    train(make_task(), settings, on_progress=seen.append)
    assert seen[-1].loss < 0.7 * seen[0].loss


def test_a_signal_asks_to_stop():
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_signals() as asked:
        assert not asked()
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("changes", "match"),
    [({"steps": 0}, "steps is 0"), ({"prefetch": -1}, "prefetch is -1")],
)
def test_settings_are_checked(tmp_path, changes, match):
    with pytest.raises(ValueError, match=match):
        make_settings(tmp_path, **changes)


def test_schedule_shapes():
    cosine = Schedule(kind="cosine", warmup=10, final=0.2)
    assert cosine.factor(0, 100) == pytest.approx(0.1)
    assert cosine.factor(10, 100) == pytest.approx(1.0)
    assert cosine.factor(55, 100) == pytest.approx(0.6)
    assert cosine.factor(100, 100) == pytest.approx(0.2)
    assert Schedule(kind="constant", warmup=2).factor(99, 100) == 1.0
    stretched = Schedule(kind="cosine", stretch=2.0)
    assert stretched.factor(100, 100) == pytest.approx(0.5)  # half of the way down
    with pytest.raises(ValueError, match="stretch"):
        Schedule(stretch=0.9)
    with pytest.raises(ValueError, match="linear"):
        Schedule(kind="linear")
