"""Lightning calls no `set_epoch` of a loader, and keeps the state of one that has a state."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from gends import Augment, PairLoader, PairStream

lightning = pytest.importorskip("lightning")

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's own are its own

SIZE = 5


@pytest.fixture(scope="module")
def root(finished) -> Path:
    return finished.store.root


class Witness(lightning.LightningModule):
    """Trains one weight, and keeps what it was given in each epoch."""

    def __init__(self, loader: Any, checked: Any) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.loaders = loader, checked
        self.seen: list[tuple[int, tuple[str, ...], float]] = []

    def train_dataloader(self) -> Any:
        return self.loaders[0]

    def val_dataloader(self) -> Any:
        return self.loaders[1]

    def training_step(self, batch: dict) -> torch.Tensor:
        self.seen.append((self.current_epoch, tuple(batch["key"]), float(batch["lq"].mean())))
        return self.weight * batch["lq"].mean()

    def validation_step(self, batch: dict) -> None:
        assert batch["lq"].shape[1:] == (3, 64, 64)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def loader(root: Path, num_workers: int = 0) -> PairLoader:
    stream = PairStream(root, seed=1, preset="tensor", augment=Augment(crop=32, flip=True))
    return PairLoader(stream, batch_size=SIZE, num_workers=num_workers)


def fit(root: Path, train: Any, *, checkpoint: Path | None = None, **options: Any) -> Witness:
    witness = Witness(train, PairLoader(PairStream(root, preset="tensor", shuffle=False)))
    settings = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False}
    settings |= {"enable_model_summary": False, "enable_checkpointing": "callbacks" in options}
    trainer = lightning.Trainer(**settings, max_epochs=3, **options)
    trainer.fit(witness, ckpt_path=checkpoint)
    return witness


def by_epoch(witness: Witness) -> list[list[str]]:
    groups = itertools.groupby(witness.seen, lambda step: step[0])
    return [[key for _, keys, _ in steps for key in keys] for _, steps in groups]


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [0, 2])
def test_every_epoch_has_an_order_of_its_own_and_a_resumed_run_sees_the_same(
    root, tmp_path, num_workers
):
    every = lightning.pytorch.callbacks.ModelCheckpoint(
        tmp_path, "{step}", every_n_train_steps=1, save_top_k=-1
    )
    whole = fit(root, loader(root, num_workers), callbacks=[every])
    epochs = by_epoch(whole)
    expected = sorted(PairStream(root).dataset.rows["key"].to_pylist())
    assert len(expected) % SIZE
    assert [sorted(epoch) for epoch in epochs] == [expected] * 3
    assert len(set(map(tuple, epochs))) == 3
    steps = -(-len(expected) // SIZE)
    # Within an epoch, before its last batch, at its end, and after the first batch of the next.
    for step in (2, steps - 1, steps, steps + 1):
        resumed = fit(root, loader(root, num_workers), checkpoint=tmp_path / f"step={step}.ckpt")
        assert resumed.seen == whole.seen[step:]


@pytest.mark.slow
def test_epochs_that_are_cut_short_differ_too(root):
    first, second, third = by_epoch(fit(root, loader(root), limit_train_batches=2))
    assert len(first) == len(second) == len(third) == 2 * SIZE
    assert first != second != third != first


@pytest.mark.slow
def test_workers_of_a_dataloader_do_not_repeat_an_epoch(root):
    stream = PairStream(root, seed=1, preset="tensor")
    witness = None
    with pytest.raises(RuntimeError, match=r"epoch 0 was read already.* take a gends\.PairLoader"):
        witness = fit(root, DataLoader(stream, batch_size=SIZE, num_workers=2))
    assert witness is None
    # Without workers, iterating moves the stream on as it does outside of a loader.
    epochs = by_epoch(fit(root, DataLoader(PairStream(root, preset="tensor"), batch_size=SIZE)))
    assert len(set(map(tuple, epochs))) == 3
