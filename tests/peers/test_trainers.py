"""Other people's trainers read our shards by their own contracts; their code is not installed here.

What they ask of a dataset was read in their repositories, and their real training loops were run on
shards with nothing changed but the data section: see docs/trainers.md.
"""

from __future__ import annotations

import importlib.util
import math
import queue
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Sampler

from gends import Augment, PairDataset
from gends.pipeline.reading.reader import ShardReader, read_manifest, read_pictures

EXAMPLE = Path(__file__).parents[2] / "examples" / "basicsr_dataset.py"
OPTIONS = {"name": "pairs", "type": "GenDSPaired", "scale": 1, "gt_size": 32}

# Forking loader workers beside Arrow's threads is worth a warning to Python 3.12.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-thread:DeprecationWarning")


@pytest.fixture(scope="module")
def root(finished) -> str:
    return str(finished.store.root)


@pytest.fixture(scope="module")
def pairs(root) -> dict[str, dict]:
    reader = ShardReader(root)
    return {r["key"]: r | read_pictures(reader, r) for r in read_manifest(root).to_pylist()}


class Registry(dict):
    """As BasicSR's: classes by their own name, each once."""

    def register(self):
        def keep(found):
            assert found.__name__ not in self
            self[found.__name__] = found
            return found

        return keep


def imported(name: str) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def registry(monkeypatch) -> Registry:
    """What BasicSR knows once it has imported the files of its data folder."""
    found = Registry()
    registries = types.ModuleType("basicsr.utils.registry")
    registries.DATASET_REGISTRY = found
    for name in ("basicsr", "basicsr.utils"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "basicsr.utils.registry", registries)
    imported("basicsr.data.gends_dataset")
    return found


class EnlargedSampler(Sampler):
    """As BasicSR's: a permutation of `ratio` times the length, modulo the length, by rank."""

    def __init__(self, dataset, num_replicas: int, rank: int, ratio: int) -> None:
        self.length, self.ranks, self.rank, self.epoch = len(dataset), num_replicas, rank, 0
        self.count = math.ceil(self.length * ratio / num_replicas)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator()
        generator.manual_seed(self.epoch)
        indices = torch.randperm(self.count * self.ranks, generator=generator).tolist()
        return iter([index % self.length for index in indices[self.rank :: self.ranks]])

    def __len__(self) -> int:
        return self.count


def prefetched(loader: DataLoader) -> Iterator[dict]:
    """As BasicSR's prefetcher: a thread puts batches into a queue, and None at the end."""
    waiting: queue.Queue = queue.Queue(1)

    def fetch() -> None:
        for batch in loader:
            waiting.put(batch)
        waiting.put(None)

    threading.Thread(target=fetch, daemon=True).start()
    while (batch := waiting.get(timeout=60)) is not None:
        yield batch


@pytest.mark.parametrize("workers", [0, 2])
def test_basicsr_builds_it_by_name_samples_and_prefetches(registry, root, pairs, workers):
    options = OPTIONS | {"dataroot": root, "phase": "train", "use_hflip": True, "use_rot": True}
    dataset = registry[options["type"]](options)
    assert dataset.opt["name"] == "pairs"
    samplers = [EnlargedSampler(dataset, 2, rank, ratio=2) for rank in range(2)]
    seen = []
    for sampler in samplers:
        loader = DataLoader(
            dataset, 4, shuffle=False, num_workers=workers, sampler=sampler, drop_last=True
        )
        for batch in prefetched(loader):
            assert batch.keys() == {"lq", "gt", "lq_path", "gt_path"}
            for part in ("lq", "gt"):
                assert batch[part].shape == (4, 3, 32, 32)
                assert batch[part].dtype == torch.float32
                assert 0 <= batch[part].min() <= batch[part].max() <= 1
            seen += batch["lq_path"]
    keys = {Path(path).name.split(".")[0] for path in seen}
    assert keys <= set(pairs)
    assert len(seen) == 2 * (samplers[0].count // 4 * 4)
    assert len(keys) > len(pairs) * 0.8


def test_basicsr_sees_another_crop_of_a_pair_every_time(registry, root):
    options = OPTIONS | {"dataroot": root, "phase": "train", "use_hflip": True, "use_rot": True}
    dataset = registry["GenDSPaired"](options)
    crops = {dataset[0]["gt"].numpy().tobytes() for _ in range(8)}
    assert len(crops) > 5


def test_basicsr_validates_on_whole_pictures(registry, root, pairs):
    options = OPTIONS | {
        "dataroot": root,
        "phase": "val",
        "degradations": ["snow"],
        "split": "test",
    }
    dataset = registry["GenDSPaired"](options)
    loader = DataLoader(dataset, batch_size=1, shuffle=False, num_workers=0)
    expected = [r for r in pairs.values() if (r["degradation"], r["split"]) == ("snow", "test")]
    assert len(loader) == len(expected) > 0
    for batch, row in zip(loader, expected, strict=True):
        # Names of saved pictures, and what metrics are made of.
        assert Path(batch["lq_path"][0]).stem == f"{row['key']}.lq"
        for part in ("lq", "gt"):
            picture = (batch[part][0] * 255).round().byte().permute(1, 2, 0).numpy()
            np.testing.assert_array_equal(picture, row[part])


def test_nafnet_finds_it_by_name_and_calls_flips_otherwise(root, pairs):
    modules = [types.ModuleType("other"), imported("basicsr.data.gends_dataset")]
    found = [getattr(module, "GenDSPaired", None) for module in modules]
    options = OPTIONS | {"dataroot": [root], "phase": "train", "use_flip": True, "use_rot": False}
    dataset = found[1](options)
    assert found[0] is None
    assert (dataset.items.augment.flip, dataset.items.augment.rotate) == (True, False)
    item = dataset[len(dataset) - 1]
    assert item["lq"].shape == item["gt"].shape == (3, 32, 32)
    assert len(dataset) == len(pairs)


def test_promptir_unpacks_it_in_its_training_step(root, pairs):
    dataset = PairDataset(
        root,
        degradations=["rain", "haze", "motion_blur"],
        preset="promptir",
        augment=Augment(crop=48, flip=True, rotate=True),
    )
    loader = DataLoader(dataset, batch_size=4, shuffle=True, drop_last=True, num_workers=2)
    ids = {"rain": 3, "haze": 4, "motion_blur": 5}
    count = 0
    for batch in loader:
        ([clean_name, de_id], degrad_patch, clean_patch) = batch
        assert degrad_patch.shape == clean_patch.shape == (4, 3, 48, 48)
        assert degrad_patch.dtype == torch.float32
        assert [ids[pairs[key]["degradation"]] for key in clean_name] == de_id.tolist()
        count += len(clean_name)
    assert count == len(dataset) // 4 * 4


def test_pairs_stay_aligned_on_the_way(root, pairs):
    """A crop, flip or turn that lq and gt do not share would change their distance."""
    dataset = PairDataset(
        root, preset="promptir", degradations=["haze"], augment=Augment(flip=True, rotate=True)
    )
    for _ in range(3):
        for [name, _], lq, gt in dataset:
            assert float((lq - gt).abs().mean()) == pytest.approx(pairs[name]["mu"], rel=1e-4)
