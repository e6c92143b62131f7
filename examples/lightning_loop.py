"""Train a small restorer with Lightning; the same command goes on where it was stopped.

    python examples/lightning_loop.py --data dataset/ --run runs/lightning --steps 1000

Every process reads its own share of each epoch. The loader moves on to the next epoch by itself,
and Lightning keeps its state in every checkpoint: a run that goes on sees the pairs that one
without a stop would have seen.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor
from torch.nn.functional import l1_loss

from gends import Augment, PairLoader, PairStream
from gends.models.restorers.nafnet import NAFNet


class Restorer(lightning.LightningModule):
    def __init__(self, data: str, batch_size: int, crop: int, workers: int) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = NAFNet(width=8, encoder_blocks=(1, 1), middle_blocks=1, decoder_blocks=(1, 1))

    def train_dataloader(self) -> PairLoader:
        stream = PairStream(
            self.hparams.data,
            seed=1,
            rank=self.trainer.global_rank,
            num_ranks=self.trainer.world_size,
            preset="tensor",
            augment=Augment(crop=self.hparams.crop, flip=True, rotate=True),
        )
        sizes = {"batch_size": self.hparams.batch_size, "num_workers": self.hparams.workers}
        return PairLoader(stream, **sizes)

    def training_step(self, batch: dict) -> Tensor:
        loss = l1_loss(self.net(batch["lq"]), batch["gt"])
        self.log("l1", loss, prog_bar=True, batch_size=len(batch["lq"]))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="dataset root: a folder or a bucket's URL")
    parser.add_argument("--run", required=True, type=Path, help="folder of the checkpoint")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--crop", type=int, default=64, help="pixels")
    parser.add_argument("--workers", type=int, default=2, help="processes that read and decode")
    parser.add_argument("--devices", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(1)
    trainer = lightning.Trainer(
        max_steps=options.steps,
        devices=options.devices,
        logger=False,
        log_every_n_steps=1,
        callbacks=[ModelCheckpoint(options.run, save_last=True)],
    )
    restorer = Restorer(options.data, options.batch_size, options.crop, options.workers)
    newest = options.run / "last.ckpt"
    trainer.fit(restorer, ckpt_path=newest if newest.exists() else None)
    print(f"step {trainer.global_step}: L1 {float(trainer.callback_metrics['l1']):.4f}")


if __name__ == "__main__":
    main()
