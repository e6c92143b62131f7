"""Train a small restorer on several workers of Ray Train.

    python examples/ray_train_loop.py --data dataset/ --steps 1000 --ranks 2 [--gpu]

Every rank reads its own share of each epoch, as many pairs as any other: no rank waits for ever.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import ray
import ray.train
import ray.train.torch
import torch
from torch.nn.functional import l1_loss

from gends import Augment, PairLoader, PairStream
from gends.models.nafnet import NAFNet


def train_on_rank(config: dict[str, Any]) -> None:
    context = ray.train.get_context()
    device = ray.train.torch.get_device()
    stream = PairStream(
        config["data"],
        seed=1,
        rank=context.get_world_rank(),
        num_ranks=context.get_world_size(),
        preset="tensor",
        augment=Augment(crop=config["crop"], flip=True, rotate=True),
    )
    loader = PairLoader(stream, batch_size=config["batch_size"], device=device)
    torch.manual_seed(1)
    model = ray.train.torch.prepare_model(
        NAFNet(width=8, encoder_blocks=(1, 1), middle_blocks=1, decoder_blocks=(1, 1))
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    step = 0
    while step < config["steps"]:
        for batch in loader:
            optimizer.zero_grad()
            loss = l1_loss(model(batch["lq"]), batch["gt"])
            loss.backward()
            optimizer.step()
            step += 1
            if step == config["steps"]:
                break
        loader.set_epoch(stream.epoch + 1)
    ray.train.report({"l1": loss.item(), "step": step})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="dataset root: a folder or a bucket's URL")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=8, help="of each rank")
    parser.add_argument("--crop", type=int, default=64, help="pixels")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--gpu", action="store_true", help="a GPU for each rank")
    options = parser.parse_args()
    data = options.data if "://" in options.data else str(Path(options.data).resolve())
    trainer = ray.train.torch.TorchTrainer(
        train_on_rank,
        train_loop_config={
            "data": data,
            "steps": options.steps,
            "batch_size": options.batch_size,
            "crop": options.crop,
        },
        scaling_config=ray.train.ScalingConfig(num_workers=options.ranks, use_gpu=options.gpu),
    )
    metrics = trainer.fit().metrics
    print(f"step {metrics['step']}: L1 {metrics['l1']:.4f} on each of {options.ranks} ranks")


if __name__ == "__main__":
    main()
