"""How each reader that `reading.py` compares is asked for the same batches, as its users ask it.

A reader is opened with a `Task` and returns a function from the number of an epoch to its batches:
dicts of `key` (a list of texts), `lq` and `gt`. All shuffle. `reading_shapes.py` decodes what peers
read.
"""

# ruff: noqa: PLC0415  a measured process imports its own reader and no other

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from reading_shapes import BATCH, BYTES, CROP, CROPPED, Batch, Collated, Shaped
from torch.utils.data import DataLoader, Dataset, default_collate

BUFFER = 100
"""Pairs that webdataset and Ray Data hold to shuffle them; the others shuffle numbers."""
Epochs = Callable[[int], Iterable[Batch]]


class Task(NamedTuple):
    """What one measured process reads."""

    workload: str
    workers: int
    root: Path
    formats: Path
    """Where `reading_formats.py` wrote what peers read."""


class Reader(NamedTuple):
    """A library, and the way to read pairs with it."""

    name: str
    package: str
    """What has to be installed, as pip calls it."""
    module: str
    way: str
    """What it reads and through which loader, for the table's legend."""
    open: Callable[[Task], Epochs]


def _options(task: Task) -> dict[str, Any]:
    return {"num_workers": task.workers, "persistent_workers": task.workers > 0}


def _augment(task: Task) -> Any:
    from gends import Augment

    return Augment(crop=CROP, flip=True) if task.workload in CROPPED else None


def open_pair_loader(task: Task) -> Epochs:
    from gends import PairLoader, PairStream

    stream = PairStream(task.root, preset="tensor", augment=_augment(task))
    loader = PairLoader(stream, batch_size=BATCH, num_workers=task.workers)

    def epoch(number: int) -> Iterable[Batch]:
        loader.set_epoch(number)
        return loader

    return epoch


def open_pair_dataset(task: Task) -> Epochs:
    from gends import PairDataset

    if task.workload == BYTES:
        loader = _loaded(EncodedPairs(task.root), task)
        return lambda number: loader
    pairs = PairDataset(task.root, preset="tensor", augment=_augment(task))
    loader = _loaded(pairs, task)

    def epoch(number: int) -> Iterable[Batch]:
        pairs.set_epoch(number)
        return loader

    return epoch


class EncodedPairs(Dataset[Batch]):
    """Pictures as they are stored, compared with their checksums like all that gends reads."""

    def __init__(self, root: Path) -> None:
        from gends.pipeline.reading.reader import ShardReader
        from gends.reading.rows import RowFilter, columns_of, listed

        self.columns = columns_of(RowFilter().read(listed(root)).combine_chunks())
        self.reader = ShardReader(root)

    def __len__(self) -> int:
        return len(self.columns["key"])

    def __getitem__(self, index: int) -> Batch:
        from gends.reading.rows import row_at

        row = row_at(self.columns, index)
        return {"key": row["key"]} | {p: bytes(d) for p, d in self.reader.read_pair(row).items()}


def _loaded(dataset: Any, task: Task, **options: Any) -> DataLoader[Batch]:
    return DataLoader(dataset, BATCH, shuffle=True, **_options(task), **options)


def _tars(task: Task) -> list[str]:
    return sorted(map(str, (task.root / "shards").glob("*.tar")))


def _members(tars: list[str]) -> list[str]:
    """What the pictures of a pair are called behind its key, as in `lq.png`: first lq, then gt."""
    with tarfile.open(tars[0]) as tar:
        names = [name.partition(".")[2] for name in tar.getnames()]
    return [next(name for name in names if name.startswith(part)) for part in ("lq.", "gt.")]


def open_webdataset(task: Task) -> Epochs:
    import webdataset

    shaped = Shaped(task.workload)
    tars = _tars(task)
    pairs = (
        webdataset.WebDataset(tars, shardshuffle=len(tars))
        .shuffle(BUFFER)
        .to_tuple("__key__", *_members(tars))
        .map(lambda sample: shaped(*sample))
        .batched(BATCH, collation_fn=default_collate)
    )
    loader = webdataset.WebLoader(pairs, batch_size=None, **_options(task))
    return lambda number: loader


def open_wids(task: Task) -> Epochs:
    import wids

    pairs = wids.ShardListDataset(
        str(task.formats / "wids.json"), transformations=[], localname=str
    )
    sampler = wids.ShardedSampler(pairs, shufflefirst=True)
    members = [f".{name}" for name in _members(_tars(task))]
    collated = Collated(task.workload, ("__key__", *members))
    loader = DataLoader(pairs, BATCH, sampler=sampler, collate_fn=collated, **_options(task))
    return lambda number: loader


def open_litdata(task: Task) -> Epochs:
    from litdata import StreamingDataLoader, StreamingDataset

    pairs = StreamingDataset(str(task.formats / "litdata"), shuffle=True)
    loader = StreamingDataLoader(
        pairs, batch_size=BATCH, collate_fn=Collated(task.workload), **_options(task)
    )
    return lambda number: loader


def open_mosaicml(task: Task) -> Epochs:
    from streaming import StreamingDataset

    pairs = StreamingDataset(local=str(task.formats / "mds"), shuffle=True, batch_size=BATCH)
    loader = DataLoader(pairs, BATCH, collate_fn=Collated(task.workload), **_options(task))
    return lambda number: loader


def open_huggingface(task: Task) -> Epochs:
    import datasets

    splits = datasets.load_from_disk(str(task.formats / "arrow"))
    loader = _loaded(splits, task, collate_fn=Collated(task.workload))
    return lambda number: loader


def open_ray_data(task: Task) -> Epochs:
    import ray

    ray.init(num_cpus=task.workers, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    tars, shaped = _tars(task), Shaped(task.workload)
    lq, gt = _members(tars)

    def shape(row: dict[str, Any]) -> dict[str, Any]:
        made = shaped(row["__key__"], row[lq], row[gt])
        return {n: v.numpy() if isinstance(v, torch.Tensor) else v for n, v in made.items()}

    pairs = ray.data.read_webdataset(tars, decoder=None, shuffle="files").map(shape)

    def epoch(number: int) -> Iterable[Batch]:
        if task.workload == BYTES:
            batches = pairs.iter_batches(batch_size=BATCH, local_shuffle_buffer_size=BUFFER)
            return ({name: list(column) for name, column in b.items()} for b in batches)
        return pairs.iter_torch_batches(
            batch_size=BATCH, local_shuffle_buffer_size=BUFFER, collate_fn=_tensors
        )

    return epoch


def _tensors(batch: dict[str, Any]) -> Batch:
    pictures = {part: torch.from_numpy(batch[part]) for part in ("lq", "gt")}
    return {"key": list(batch["key"]), **pictures}


READERS = {
    "gends-loader": Reader(
        "gends, `PairLoader`", "gends", "gends", "a `PairStream`", open_pair_loader
    ),
    "gends-dataset": Reader(
        "gends, `PairDataset`", "gends", "gends", "torch's `DataLoader`", open_pair_dataset
    ),
    "webdataset": Reader(
        "webdataset", "webdataset", "webdataset", "the tars, `WebLoader`", open_webdataset
    ),
    "wids": Reader(
        "wids", "wids", "wids", "the tars and an index, torch's `DataLoader`", open_wids
    ),
    "litdata": Reader(
        "litdata", "litdata", "litdata", "`optimize`, `StreamingDataLoader`", open_litdata
    ),
    "mosaicml": Reader(
        "mosaicml-streaming",
        "mosaicml-streaming",
        "streaming",
        "`MDSWriter`, torch's `DataLoader`",
        open_mosaicml,
    ),
    "huggingface": Reader(
        "Hugging Face datasets",
        "datasets",
        "datasets",
        "Arrow, torch's `DataLoader`",
        open_huggingface,
    ),
    "ray": Reader(
        "Ray Data", "ray[data]", "ray.data", "the tars, `iter_torch_batches`", open_ray_data
    ),
}


def refusal(reader: str, workload: str, workers: int) -> str | None:
    """Why a reader cannot be measured so, or None."""
    if reader == "ray" and workers == 0:
        return "always reads in processes of its own"
    if reader == "gends-loader" and workload == BYTES:
        return "always decodes"
    return None
