"""Train a small restorer on several workers of Ray Train.

    python examples/ray_train_loop.py --data dataset/ --run runs/ray --steps 1000 --ranks 2 [--gpu]

Every rank reads its own share of each epoch, as many pairs as any other: no rank waits for ever.
When a worker dies, Ray Train starts all again from the newest checkpoint, and the readers go on
where the checkpoint was made.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import ray
import ray.train
import ray.train.torch
import torch
from ray.train import Checkpoint, FailureConfig, RunConfig, ScalingConfig
from safetensors.torch import load_file, save_file
from torch.nn.functional import l1_loss

from gends import Augment, PairLoader, PairStream
from gends.models.restorers.nafnet import NAFNet

WEIGHTS, FACTS = "model.safetensors", "facts.json"


def train_on_rank(config: dict[str, Any]) -> None:
    context = ray.train.get_context()
    stream = PairStream(
        config["data"],
        seed=1,
        rank=context.get_world_rank(),
        num_ranks=context.get_world_size(),
        preset="tensor",
        augment=Augment(crop=config["crop"], flip=True, rotate=True),
    )
    device = ray.train.torch.get_device()
    loader = PairLoader(stream, batch_size=config["batch_size"], device=device)
    torch.manual_seed(1)
    net = NAFNet(width=8, encoder_blocks=(1, 1), middle_blocks=1, decoder_blocks=(1, 1))
    step = load(net, loader)
    model = ray.train.torch.prepare_model(net)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    while step < config["steps"]:
        for batch in loader:
            optimizer.zero_grad()
            loss = l1_loss(model(batch["lq"]), batch["gt"])
            loss.backward()
            optimizer.step()
            step += 1
            if step % config["every"] == 0 or step == config["steps"]:
                report(step, loss.item(), net, loader)
            if step == config["steps"]:
                return
        loader.set_epoch(stream.epoch + 1)


def report(step: int, l1: float, net: torch.nn.Module, loader: PairLoader) -> None:
    with tempfile.TemporaryDirectory() as folder:
        facts = {"step": step, "reader": loader.state_dict()}
        save_file(net.state_dict(), Path(folder, WEIGHTS))
        Path(folder, FACTS).write_text(json.dumps(facts), encoding="utf-8")
        # All ranks report, and are in step: the checkpoint of one is that of all.
        first = ray.train.get_context().get_world_rank() == 0
        checkpoint = Checkpoint.from_directory(folder) if first else None
        ray.train.report({"step": step, "l1": l1}, checkpoint=checkpoint)


def load(net: torch.nn.Module, loader: PairLoader) -> int:
    checkpoint = ray.train.get_checkpoint()
    if checkpoint is None:
        return 0
    with checkpoint.as_directory() as folder:
        net.load_state_dict(load_file(Path(folder, WEIGHTS)))
        facts = json.loads(Path(folder, FACTS).read_text("utf-8"))
    loader.load_state_dict(facts["reader"])
    return facts["step"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="dataset root: a folder or a bucket's URL")
    parser.add_argument("--run", required=True, type=Path, help="folder of the checkpoints")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--every", type=int, default=100, help="steps between checkpoints")
    parser.add_argument("--batch-size", type=int, default=8, help="of each rank")
    parser.add_argument("--crop", type=int, default=64, help="pixels")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--gpu", action="store_true", help="a GPU for each rank")
    options = parser.parse_args()
    config = vars(options) | {"run": str(options.run.resolve())}
    if "://" not in options.data:
        config["data"] = str(Path(options.data).resolve())
    trainer = ray.train.torch.TorchTrainer(
        train_on_rank,
        train_loop_config=config,
        scaling_config=ScalingConfig(num_workers=options.ranks, use_gpu=options.gpu),
        run_config=RunConfig(
            name=options.run.name,
            storage_path=str(options.run.resolve().parent),
            failure_config=FailureConfig(max_failures=3),
        ),
    )
    metrics = trainer.fit().metrics
    print(f"step {metrics['step']}: L1 {metrics['l1']:.4f} on each of {options.ranks} ranks")


if __name__ == "__main__":
    main()
