"""How each reader that `reading.py` compares is asked for the same batches, as its users ask it.

A reader is opened with a `Task` and returns a function from the number of an epoch to its batches:
dicts of `key` (a list of texts), `lq` and `gt`. All shuffle. Peers get the encoded pictures from
their library and decode them whole with Pillow, which is faster on these files than OpenCV and
torchvision; then they cut, mirror and make floats of them, as the trainers of restorers do. In
`crops-same-decoder` they are given the decoder of gends instead, and decode the window alone.
"""

# ruff: noqa: PLC0415  a measured process imports its own reader and no other

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image as Pillow
from torch.utils.data import DataLoader, Dataset, default_collate

BATCH = 8
CROP = 128
BUFFER = 100
"""Pairs that webdataset and Ray Data hold to shuffle them; the others shuffle numbers."""
CROPS, SAME, WHOLE, BYTES = "crops", "crops-same-decoder", "whole", "bytes"
CROPPED = (CROPS, SAME)
WORKLOADS = {
    CROPS: "float batches of aligned 128-pixel crops, mirrored at random",
    SAME: "the same crops, all readers with the decoder of gends, which decodes the window alone",
    WHOLE: "float batches of whole pictures",
    BYTES: "encoded bytes, not decoded",
}
Batch = dict[str, Any]
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


class Shaped:
    """Makes of an encoded pair what a workload wants of it; picklable."""

    def __init__(self, workload: str) -> None:
        self.workload = workload

    def __call__(self, key: str, lq: Any, gt: Any) -> Batch:
        pictures = [_bytes(lq), _bytes(gt)]
        if self.workload == SAME:
            pictures = _mirrored(_windows(pictures))
        elif self.workload != BYTES:
            pictures = [
                np.asarray(Pillow.open(io.BytesIO(picture), formats=["PNG"]))
                for picture in pictures
            ]
        if self.workload == CROPS:
            pictures = _mirrored(_cut(pictures))
        if self.workload != BYTES:
            pictures = [_floats(picture) for picture in pictures]
        return {"key": key, "lq": pictures[0], "gt": pictures[1]}


def _windows(encoded: list[Any]) -> list[Any]:
    """The crop alone, decoded by gends."""
    from gends.pipeline.format.decode import decode
    from gends.pipeline.format.png import Window, size_of

    size = size_of(encoded[0])
    assert size is not None, "not a PNG that fpng wrote"
    top, left = (random.randint(0, side - CROP) for side in size)
    return [decode(data, Window(top, left, CROP, CROP)) for data in encoded]


def _cut(pictures: list[Any]) -> list[Any]:
    height, width, _ = pictures[0].shape
    top, left = random.randint(0, height - CROP), random.randint(0, width - CROP)
    return [picture[top : top + CROP, left : left + CROP] for picture in pictures]


def _mirrored(pictures: list[Any]) -> list[Any]:
    return [p[:, ::-1] for p in pictures] if random.random() < 0.5 else pictures


def _floats(picture: Any) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))).float().div_(255)


class Collated:
    """Makes a batch of what a peer returns of its pairs, in the process that read them."""

    def __init__(self, workload: str, names: Sequence[str] = ("key", "lq", "gt")) -> None:
        self.shaped, self.names = Shaped(workload), names

    def __call__(self, samples: list[Any]) -> Batch:
        return dict(default_collate([self.shaped(*map(s.get, self.names)) for s in samples]))


def _bytes(picture: Any) -> bytes:
    if isinstance(picture, dict):  # Hugging Face, not decoded
        return bytes(picture["bytes"])
    return picture.read() if isinstance(picture, io.BytesIO) else bytes(picture)


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
        from gends.reading.rows import Selection, columns_of, listed

        self.columns = columns_of(Selection().read(listed(root)).combine_chunks())
        self.reader = ShardReader(root)

    def __len__(self) -> int:
        return len(self.columns["key"])

    def __getitem__(self, index: int) -> Batch:
        from gends.reading.rows import row_at

        row = row_at(self.columns, index)
        return {"key": row["key"]} | {p: bytes(d) for p, d in self.reader.read_pair(row).items()}


def _loaded(dataset: Any, task: Task, **options: Any) -> DataLoader[Batch]:
    return DataLoader(dataset, BATCH, shuffle=True, **_options(task), **options)


def open_webdataset(task: Task) -> Epochs:
    import webdataset

    shaped = Shaped(task.workload)
    tars = sorted(map(str, (task.root / "shards").glob("*.tar")))
    pairs = (
        webdataset.WebDataset(tars, shardshuffle=len(tars))
        .shuffle(BUFFER)
        .to_tuple("__key__", "lq.png", "gt.png")
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
    collated = Collated(task.workload, ("__key__", ".lq.png", ".gt.png"))
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
    tars, shaped = sorted(map(str, (task.root / "shards").glob("*.tar"))), Shaped(task.workload)

    def shape(row: dict[str, Any]) -> dict[str, Any]:
        made = shaped(row["__key__"], row["lq.png"], row["gt.png"])
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
