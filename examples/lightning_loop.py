"""Train a small restorer with Lightning.

    python examples/lightning_loop.py --data dataset/ --steps 1000 [--devices 2]

Every process reads its own share of each epoch; Lightning puts no sampler of its own before it.
Lightning fetches a batch ahead, so the loader's state is one batch further than the training: for
a resume that sees every pair once, take examples/plain_loop.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import lightning
import torch
from torch import Tensor
from torch.nn.functional import l1_loss

from gends import Augment, PairLoader, PairStream
from gends.models.restorers.nafnet import NAFNet


class Restorer(lightning.LightningModule):
    def __init__(self, data: str, batch_size: int, crop: int, workers: int) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = NAFNet(width=8, encoder_blocks=(1, 1), middle_blocks=1, decoder_blocks=(1, 1))

    def train_dataloader(self) -> Endless:
        stream = PairStream(
            self.hparams.data,
            seed=1,
            rank=self.trainer.global_rank,
            num_ranks=self.trainer.world_size,
            preset="tensor",
            augment=Augment(crop=self.hparams.crop, flip=True, rotate=True),
        )
        sizes = {"batch_size": self.hparams.batch_size, "num_workers": self.hparams.workers}
        return Endless(PairLoader(stream, **sizes))

    def training_step(self, batch: dict) -> Tensor:
        loss = l1_loss(self.net(batch["lq"]), batch["gt"])
        self.log("l1", loss, prog_bar=True, batch_size=len(batch["lq"]))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


class Endless:
    """Epoch after epoch, each in its own order."""

    def __init__(self, loader: PairLoader) -> None:
        self.loader = loader

    def __iter__(self) -> Iterator[dict]:
        while True:
            yield from self.loader
            self.loader.set_epoch(self.loader.stream.epoch + 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="dataset root: a folder or a bucket's URL")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--crop", type=int, default=64, help="pixels")
    parser.add_argument("--workers", type=int, default=2, help="processes that read and decode")
    parser.add_argument("--devices", type=int, default=1)
    options = parser.parse_args()
    trainer = lightning.Trainer(
        max_steps=options.steps,
        devices=options.devices,
        use_distributed_sampler=False,
        enable_checkpointing=False,
        logger=False,
        log_every_n_steps=1,
    )
    trainer.fit(Restorer(options.data, options.batch_size, options.crop, options.workers))
    print(f"step {trainer.global_step}: L1 {float(trainer.callback_metrics['l1']):.4f}")


if __name__ == "__main__":
    main()
