from __future__ import annotations

import torch

from gends.models.training.checkpoint import Checkpoint, read_state, write_checkpoint


def write(folder, step):
    tensors = {"model": {"weight": torch.ones(2)}}
    return write_checkpoint(folder, Checkpoint(step=step, tensors=tensors, state={}))


def test_links_in_the_way_go_and_what_they_lead_to_stays(tmp_path):
    run, victim, moved = (tmp_path / name for name in ("run", "victim", "moved"))
    run.mkdir()
    victim.mkdir()
    for name in ("model.safetensors", "state.json", "precious"):
        (victim / name).write_text("kept")
    (run / ".partial-step-000000001").symlink_to(victim)
    write(run, 1).rename(moved)
    (run / "step-000000001").symlink_to(moved)
    for step in (2, 3):
        write(run, step)
    assert sorted(path.name for path in run.iterdir()) == ["step-000000002", "step-000000003"]
    assert {path.read_text() for path in victim.iterdir()} == {"kept"}
    assert read_state(moved)[0] == 1
