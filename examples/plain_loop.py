"""Train a small restorer in plain PyTorch; the same command goes on where it was stopped.

    python examples/plain_loop.py --data dataset/ --run runs/plain --steps 1000

A step's batch is a function of the seed and the step alone: it is the same whether the run was
stopped before or not, and for any number of loader workers.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.nn.functional import l1_loss

from gends import Augment, PairLoader, PairStream
from gends.models.restorers.nafnet import NAFNet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="dataset root: a folder or a bucket's URL")
    parser.add_argument("--run", required=True, type=Path, help="folder of the checkpoint")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--crop", type=int, default=64, help="pixels")
    parser.add_argument("--workers", type=int, default=2, help="processes that read and decode")
    options = parser.parse_args()
    augment = Augment(crop=options.crop, flip=True, rotate=True)
    stream = PairStream(options.data, seed=1, preset="tensor", augment=augment)
    loader = PairLoader(stream, batch_size=options.batch_size, num_workers=options.workers)
    torch.manual_seed(1)
    model = NAFNet(width=8, encoder_blocks=(1, 1), middle_blocks=1, decoder_blocks=(1, 1))
    train(model, loader, options.run, options.steps)


def train(model: torch.nn.Module, loader: PairLoader, run: Path, steps: int) -> None:
    first = load(run, model, loader)
    # Without momentum the weights are all there is to keep.
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step, batch in zip(range(first, steps), endless(loader), strict=False):
        optimizer.zero_grad()
        loss = l1_loss(model(batch["lq"]), batch["gt"])
        loss.backward()
        optimizer.step()
        if (step + 1) % 100 == 0 or step + 1 == steps:
            print(f"step {step + 1}: L1 {loss.item():.4f}")
            save(run, step + 1, model, loader)


def endless(loader: PairLoader) -> Iterator[dict]:
    while True:
        yield from loader
        loader.set_epoch(loader.stream.epoch + 1)


def save(run: Path, step: int, model: torch.nn.Module, loader: PairLoader) -> None:
    run.mkdir(parents=True, exist_ok=True)
    partial = run / ".partial"
    facts = {"step": str(step), "reader": json.dumps(loader.state_dict())}
    save_file(model.state_dict(), partial, metadata=facts)
    partial.replace(run / "checkpoint.safetensors")


def load(run: Path, model: torch.nn.Module, loader: PairLoader) -> int:
    path = run / "checkpoint.safetensors"
    if not path.exists():
        return 0
    model.load_state_dict(load_file(path))
    with safe_open(path, "pt") as file:
        facts = file.metadata()
    loader.load_state_dict(json.loads(facts["reader"]))
    return int(facts["step"])


if __name__ == "__main__":
    main()
